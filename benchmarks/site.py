"""Search in a static page: what it finds against libraries of npm, and what a phone waits for.

    python benchmarks/site.py --modules NODE_MODULES [--only waiting|quality] [--pages 100 1000]

Quality: passages of evaluation sets as pages, the same pages and questions for everybody.
`--modules` is a node_modules folder with lunr, lunr-languages, flexsearch, minisearch and pagefind
(`npm install lunr lunr-languages flexsearch minisearch pagefind`). The words of FlexSearch and
MiniSearch are cut by the browser's own segmenter, which finds more than their defaults.

Waiting: seconds and memory of `konayuki site`, anew, again, and with one page changed; then a page
in headless Chromium, its processor slowed down four times, 10 Mbit/s with 40 ms. The search runs in
the page and not in a worker, as Chromium slows down no workers. Times are from the input event to
the hits in the page, before they are painted. Wants an idle machine with two cores; the load is in
the result.

Results go to benchmarks/results/site.json after each part; `python benchmarks/site_docs.py` writes
them to docs/explanation/site.md.
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

import corpus
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.metrics import ndcg, recall
from konayuki.model import StaticModel
from konayuki.search import Document, Index
from konayuki.site import Settings, build_site

RESULTS = Path(__file__).parent / "results"
RUNTIME = Path(__file__).parents[1] / "src" / "konayuki" / "site" / "runtime" / "konayuki.js"
SITES = {"site 256": (256, 8), "site 128": (128, 8), "site 128, 4 bits": (128, 4)}
SLOWER, MEGABITS, LATENCY_MS = 4, 10, 40
TYPED = "インターネットの安全な使い方を知りたい"
FIRST_TYPED = 8
PAUSE_MS = 300  # between keystrokes: what the last one shows is painted by then
PER_PAGE = 10
START_PAGE = (
    '<!doctype html><html lang="ja"><meta charset="utf-8"><title>頁</title>'
    '<script type="module" src="/konayuki/konayuki-search.js" data-auto></script><body>頁</body>'
)
# Gives the milliseconds until the first hits, or until the last ones, are in the page.
ASK = """([text, last]) => new Promise((resolve) => {
    const box = document.querySelector("konayuki-search");
    window.asked = performance.now();
    box.addEventListener("konayuki-hits", function heard({ detail }) {
        if (last && !detail.last) return;
        box.removeEventListener("konayuki-hits", heard);
        resolve(performance.now() - window.asked);
    });
    box.input.value = text;
    box.input.dispatchEvent(new Event("input"));
})"""
ASK_ON = """() => new Promise((resolve) => {
    const box = document.querySelector("konayuki-search");
    box.addEventListener("konayuki-hits", ({ detail }) => {
        if (detail.stage === "meaning") resolve(performance.now() - window.asked);
    });
})"""
IN_PAGE = "window.Worker = class { constructor() { throw new Error('measured in the page'); } };"


def sampled(evaluation: RetrievalSet, n_pages: int, n_questions: int) -> RetrievalSet:
    """Return some questions, the pages that answer them, and others up to `n_pages`."""
    chosen = evaluation.sample(n_questions)
    right = {page for gains in chosen.qrels.values() for page in gains}
    others = [page for page in chosen.corpus if page not in right]
    order = np.random.default_rng(0).permutation(len(others))[: max(0, n_pages - len(right))]
    kept = right | {others[place] for place in order}
    pages = {page: text for page, text in chosen.corpus.items() if page in kept}
    return RetrievalSet(chosen.name, pages, chosen.queries, chosen.qrels)


def scores(ranked: Sequence[Sequence[str]], evaluation: RetrievalSet) -> dict[str, float]:
    """Return the means of nDCG@10 and recall@3."""
    gains = [evaluation.qrels[query] for query in evaluation.queries]
    pairs = list(zip(ranked, gains, strict=True))
    return {
        "ndcg@10": round(float(np.mean([ndcg(ids, gain, at=10) for ids, gain in pairs])), 4),
        "recall@3": round(float(np.mean([recall(ids, gain, at=3) for ids, gain in pairs])), 4),
    }


def quality(evaluation: RetrievalSet, modules: Path) -> dict[str, Any]:
    """Return the scores of everybody on one set."""
    pages = [Document(id=i, text=p.text, title=p.title) for i, p in evaluation.corpus.items()]
    questions = list(evaluation.queries.values())
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        sites = {name: room / str(number) for number, name in enumerate(SITES)}
        for name, (dim, bits) in SITES.items():
            build_site(pages, sites[name], settings=Settings(dim, bits))
        asked = {
            "modules": str(modules.resolve()),
            "pages": [{"id": p.id, "title": p.title, "text": p.text} for p in pages],
            "questions": questions,
            "runtime": str(RUNTIME),
            "sites": {name: str(path) for name, path in sites.items()},
        }
        (room / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        script = Path(__file__).with_name("site_peers.mjs")
        done = subprocess.run(
            ["node", str(script), str(room / "asked.json")],  # noqa: S607 - the user's Node.js
            capture_output=True,
            check=True,
            encoding="utf-8",
        )
        answers = json.loads(done.stdout)
        answers["python 512"] = {"ranked": by_python(room / "i", pages, questions)}
        answers["pagefind"] = {"ranked": by_pagefind(room / "p", pages, questions, modules)}
    return {
        "pages": len(pages),
        "questions": len(questions),
        **{name: scores(answer["ranked"], evaluation) for name, answer in answers.items()},
    }


def by_python(folder: Path, pages: Sequence[Document], questions: Sequence[str]) -> list[list[str]]:
    """Return what the Python package finds with all dimensions."""
    with Index.create(folder, StaticModel.load()) as index:
        index.add({"id": page.id, "text": page.text, "title": page.title} for page in pages)
        return [[hit.id for hit in index.search(question, 10)] for question in questions]


def by_pagefind(
    folder: Path, pages: Sequence[Document], questions: Sequence[str], modules: Path
) -> list[list[str]]:
    """Return what Pagefind finds, in a browser, on the same pages as HTML."""
    folder.mkdir()
    for number, page in enumerate(pages):
        body = f"<h1>{escape(page.title)}</h1>" * bool(page.title) + f"<p>{escape(page.text)}</p>"
        html = f'<html lang="ja"><title>{escape(page.title)}</title><body>{body}</body></html>'
        (folder / f"{number}.html").write_text(html, encoding="utf-8")
    (folder / "start.html").write_text("<title>start</title>", encoding="utf-8")
    command = [str(modules / ".bin" / "pagefind"), "--site", str(folder), "--silent"]
    subprocess.run(command, check=True, capture_output=True)
    search = """async (questions) => {
        const pagefind = await import("/pagefind/pagefind.js");
        const found = [];
        for (const question of questions) {
            const { results } = await pagefind.search(question);
            const data = await Promise.all(results.slice(0, 10).map((result) => result.data()));
            found.push(data.map(({ url }) => Number(url.match(/(\\d+)\\.html/)?.[1] ?? -1)));
        }
        return found;
    }"""
    with served(folder) as url, browsing() as browser:
        page = browser.new_page()
        page.goto(f"{url}start.html")
        found = page.evaluate(search, list(questions))
    return [[pages[number].id for number in numbers if number >= 0] for numbers in found]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder as common hosts do: scripts and JSON compressed, other files as they are."""

    protocol_version = "HTTP/1.1"  # connections stay open

    def do_GET(self) -> None:
        """Answer with a file."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in {".js", ".json"} or not path.is_file():
            super().do_GET()
            return
        content = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@contextmanager
def browsing() -> Iterator[Any]:
    """Give a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as runner:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox"], headless=True)
        yield browser
        browser.close()


def waiting(texts: Sequence[str], n_visits: int) -> dict[str, Any]:
    """Return what building takes and what visitors wait for, the middle of some visits."""
    n_pages = len(texts) // PER_PAGE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "site"
        folder.mkdir()
        for number in range(n_pages):
            parts = texts[number * PER_PAGE : (number + 1) * PER_PAGE]
            (folder / f"{number}.html").write_text(page_of(number, parts), encoding="utf-8")
        (folder / "index.html").write_text(START_PAGE, encoding="utf-8")
        built = {
            **built_with(folder, "build"),
            **built_with(folder, "unchanged"),
        }
        (folder / "0.html").write_text(page_of(0, texts[-PER_PAGE:]), encoding="utf-8")
        built |= built_with(folder, "changed")
        say(json.dumps(built))
        with served(folder) as url, browsing() as browser:
            visits = []
            for _ in range(n_visits):
                visits.append(visit(browser, url))
                say(json.dumps(visits[-1]))
    middle = {key: statistics.median(line[key] for line in visits) for key in visits[0]}
    least = {f"least_{key}": min(line[key] for line in visits) for key in visits[0] if "_ms" in key}
    load = round(os.getloadavg()[0], 1)
    return {"pages": n_pages, **built, **middle, **least, "load": load}


def page_of(number: int, parts: Sequence[str]) -> str:
    """Return a page with a heading for each part."""
    body = "".join(
        f'<h2 id="{place}">{number}.{place}</h2><p>{escape(part)}</p>'
        for place, part in enumerate(parts)
    )
    return f'<!doctype html><html lang="ja"><title>{number}</title><main>{body}</main></html>'


BUILD = """
import re, sys
from pathlib import Path
from konayuki.cli import main
code = main(sys.argv[1:])
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(int(peak) // 1024)
sys.exit(code)
"""


def built_with(folder: Path, name: str) -> dict[str, Any]:
    """Return what `konayuki site` says, its seconds and memory, with a cache beside the site."""
    cache = folder.parent / "site.sqlite"
    arguments = ["site", str(folder), "--cache", str(cache), "--json"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds = time.perf_counter() - start
    summary, peak = map(json.loads, done.stdout.splitlines())
    names = {"passages": "passages", "files": "files", "total_bytes": "site_bytes"}
    names |= {"model_bytes": "model_bytes", "vector_bytes": "vector_bytes"}
    said = {new: summary[old] for old, new in names.items()}
    return {**said, f"{name}_s": round(seconds, 1), f"{name}_mb": peak}


def visit(browser: Any, url: str) -> Mapping[str, float]:  # noqa: ANN401 - playwright's
    """Return what the first visitor with an empty cache waits for."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(300_000)  # a busy machine is slow, which the load explains
    page.add_init_script(IN_PAGE)
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    rate = MEGABITS * 1e6 / 8
    limits = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": rate}
    protocol.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": rate})
    protocol.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    received = [0]
    protocol.on(
        "Network.loadingFinished",
        lambda event: received.__setitem__(0, received[0] + event["encodedDataLength"]),
    )
    page.goto(url, wait_until="load")
    page.wait_for_timeout(500)
    page.evaluate("document.querySelector('konayuki-search').open()")
    page.wait_for_timeout(1500)  # few open the dialog and type faster than the manifest comes
    ready = received[0]
    first = page.evaluate(ASK, [TYPED[:FIRST_TYPED], False])
    first_bytes = received[0]
    meaning = page.evaluate(ASK_ON)
    keystrokes = []
    for _ in range(2):  # the second time nothing has to be loaded
        keystrokes.append([])
        for length in range(FIRST_TYPED + 1, len(TYPED) + 1):
            page.wait_for_timeout(PAUSE_MS)
            keystrokes[-1].append(page.evaluate(ASK, [TYPED[:length], True]))
    total = received[0]
    context.close()
    return {
        "opened_bytes": ready,
        "first_words_bytes": first_bytes,
        "first_words_ms": round(first, 1),
        "first_meaning_ms": round(meaning, 1),
        "all_bytes": total,
        "keystroke_ms": round(statistics.median(keystrokes[0]), 1),
        "keystroke_loaded_ms": round(statistics.median(keystrokes[1]), 1),
    }


def main() -> None:
    """Measure and write the results; what is not measured again is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["waiting", "quality"], help="default: both")
    parser.add_argument("--sets", type=Path, default=corpus.DATA / "eval")
    parser.add_argument("--modules", type=Path, help="node_modules with the peers, for quality")
    parser.add_argument("--pages", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--quality-pages", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", type=Path, default=RESULTS / "site.json")
    args = parser.parse_args()
    record: dict[str, Any] = json.loads(args.json.read_text()) if args.json.exists() else {}
    if args.only != "waiting":
        if args.modules is None:
            parser.error("quality needs --modules: a node_modules folder with the peers")
        record["peers"] = {
            name: json.loads((args.modules / name / "package.json").read_text())["version"]
            for name in ("pagefind", "lunr", "lunr-languages", "flexsearch", "minisearch")
        }
        record["quality"] = {}
        for evaluation in read_sets(args.sets):
            if isinstance(evaluation, RetrievalSet):
                say(f"quality: {evaluation.name}")
                sample = sampled(evaluation, args.quality_pages, args.questions)
                record["quality"][evaluation.name] = quality(sample, args.modules)
                say(json.dumps(record["quality"][evaluation.name]))
        record["quality_of"] = environment(["numpy", "tantivy"])
        write(args.json, record)
    if args.only != "quality":
        record |= environment(["numpy", "tantivy", "playwright"])
        record["throttled"] = {
            "cpu": SLOWER,
            "megabits": MEGABITS,
            "latency_ms": LATENCY_MS,
            "visits": args.visits,
            "pause_ms": PAUSE_MS,
            "first_typed": FIRST_TYPED,
        }
        record["waiting"] = []
        say("waiting: reading texts")
        texts = corpus.passages(max(args.pages) * PER_PAGE)
        for n_pages in args.pages:
            say(f"waiting: {n_pages:,} pages, {args.visits} visits")
            record["waiting"].append(waiting(texts[: n_pages * PER_PAGE], args.visits))
            say(json.dumps(record["waiting"][-1]))
            write(args.json, record)


def say(line: str) -> None:
    """Print at once what is being done."""
    print(line, flush=True)


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write what has been measured so far."""
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
