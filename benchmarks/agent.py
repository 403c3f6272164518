"""Tokens that an agent reads until it has seen the passage that answers, with ours and other tools.

python benchmarks/agent.py [--questions 100] [--systems konayuki bm25 ...] [--json FILE]

Each corpus becomes a folder of files, a passage a line. Each tool answers the same questions; the
agent reads answers in their order until the right passage was in front of it. All answers count as
a reader gets them: pages of five passages for the search tools, lines or whole files for grep. For
grep the reading ends with the right line, and files come by the number of words that they hold,
which is better than what grep does. konayuki is the MCP server: excerpts within a budget count
whole, an excerpt that was cut counts as seen only when `get` has read its passage, and hits are
opened in their order.

Tokens are estimated as the server estimates them, see `konayuki.serving.budget`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent_plot import draw
from agent_tools import SYSTEMS, Passage, Tool
from corpus import DATA, ROOT
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.ingest import update
from konayuki.search import Index

NOT_RUN = {
    "qmd": "version 0.9.0 (npm, under bun): `qmd search`, its BM25, splits at spaces and found "
    "nothing for the 40 questions of the demo corpus; `qmd vsearch` and `qmd query` need models "
    "that it downloads from a hub",
    "jaqmd": "not on npm",
}
BUDGETS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
GIVE_UP = 50_000  # tokens; an agent would ask in other words long before
LINES_A_FILE = 200  # of corpora that are not in files of their own
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Corpus:
    """Passages in files, and questions with the passages that answer them.

    Attributes:
        name: What it is called.
        passages: In the order of their files.
        questions: Text, and ids of the passages that answer it.
    """

    name: str
    passages: list[Passage]
    questions: list[tuple[str, frozenset[str]]]


def main() -> int:
    """Measure, write the record and the picture, print a table; return 0."""
    args = arguments()
    corpora = [demo_corpus(), *evaluation_corpora(args.questions)]
    record: dict[str, Any] = {
        **environment(["lancedb", "tantivy", "numpy"]),
        "budgets": BUDGETS,
        "questions": {corpus.name: len(corpus.questions) for corpus in corpora},
        "passages": {corpus.name: len(corpus.passages) for corpus in corpora},
        "not_run": dict(NOT_RUN),
        "systems": [],
    }
    for name in args.systems:
        line = measured(name, SYSTEMS[name], corpora)
        if line is None:
            record["not_run"][name] = "its package is not installed"
            continue
        record["systems"].append(line)
        print(table_line(line), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        record["cold_start_s"] = cold_start(Path(folder))
    args.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draw(record, args.json.with_suffix(".png"))
    print(json.dumps({"json": str(args.json)}))
    return 0


def cold_start(folder: Path) -> dict[str, float]:
    """Return the seconds of a process that answers one question over the demo corpus."""
    question, corpus = "眠れない夜", str(ROOT / "demo" / "corpus")
    index = str(folder / "demo.konayuki")
    ours = [sys.executable, "-m", "konayuki"]
    subprocess.run([*ours, "index", corpus, "--out", index], check=True, capture_output=True)
    commands = {
        "konayuki search": [*ours, "search", index, question, "--json"],
        "grep -rn": ["grep", "-rnE", "眠れない|夜", corpus],
    }
    seconds = {}
    for name, command in commands.items():
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        seconds[name] = round(sorted(times)[2], 3)
    return seconds


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--questions", type=int, default=100, help="of each evaluation set")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--json", type=Path, default=RESULTS / "agent.json")
    return parser.parse_args()


def measured(name: str, make: Callable[..., Tool], corpora: Sequence[Corpus]) -> Any:  # noqa: ANN401
    """Return the tokens of every question of every corpus; None if the tool is not installed."""
    tokens: dict[str, list[float]] = {}
    build_s, question_ms = {}, {}
    for corpus in corpora:
        with tempfile.TemporaryDirectory(prefix="konayuki-agent-") as folder:
            started = time.perf_counter()
            try:
                tool = make(Path(folder), corpus.passages)
            except ImportError:
                return None
            build_s[corpus.name] = round(time.perf_counter() - started, 2)
            started = time.perf_counter()
            tokens[corpus.name] = [read(tool, *question) for question in corpus.questions]
            took = time.perf_counter() - started
            question_ms[corpus.name] = round(1000 * took / len(corpus.questions), 1)
            tool.close()
    everything = np.array([count for counts in tokens.values() for count in counts])
    return {
        "name": name,
        "tokens_for_half": quantile(everything, 0.5),
        "tokens_for_80": quantile(everything, 0.8),
        "tokens_for_80_by_corpus": {key: quantile(np.array(v), 0.8) for key, v in tokens.items()},
        "answered_within": [round(float((everything <= b).mean()), 4) for b in BUDGETS],
        "build_s": build_s,
        "ms_a_question": question_ms,
        "curve": curve(everything),
    }


def read(tool: Tool, question: str, right: frozenset[str]) -> float:
    """Return the tokens until the right passage was seen; infinite if it never was."""
    total = 0
    for n_tokens, seen in tool.answers(question):
        total += n_tokens
        if right & seen:
            return total
        if total > GIVE_UP:
            break
    return float("inf")


def quantile(counts: "np.ndarray[Any, Any]", share: float) -> int | None:
    """Return the tokens within which that share of all questions is answered; None if never."""
    ordered = np.sort(counts)
    value = ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)]
    return int(value) if np.isfinite(value) else None


def curve(counts: "np.ndarray[Any, Any]") -> list[float]:
    """Return the share of questions answered at 60 budgets from 100 to 50,000, evenly in log."""
    return [round(float((counts <= budget).mean()), 4) for budget in np.geomspace(100, GIVE_UP, 60)]


def table_line(line: dict[str, Any]) -> str:
    """Return a row for people."""
    shares = " ".join(f"{share:5.0%}" for share in line["answered_within"])
    return (
        f"{line['name']:16} half {line['tokens_for_half']} 80% {line['tokens_for_80']} | {shares}"
    )


def demo_corpus() -> Corpus:
    """Return the demo corpus, cut as `konayuki index` cuts it, with its questions."""
    folder = ROOT / "demo"
    with tempfile.TemporaryDirectory() as place, Index.create(f"{place}/demo") as index:
        update(index, [folder / "corpus"])
        documents = list(index.documents())
    names = {one.id: Path(str(one.metadata["path"])).name for one in documents}
    passages = [Passage(one.id, names[one.id], one.title, one.text) for one in documents]
    headings = {(names[one.id], one.heading): one.id for one in documents}
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    questions = [
        (line["question"], frozenset({headings[line["file"], line["heading"]]})) for line in lines
    ]
    return Corpus("demo", passages, questions)


def evaluation_corpora(n_questions: int) -> Iterator[Corpus]:
    """Yield the evaluation sets on this machine, with some of their questions."""
    for item in read_sets(DATA / "eval"):
        if not isinstance(item, RetrievalSet):
            continue
        passages = [
            Passage(key, file_of(number, text.title), text.title, text.text)
            for number, (key, text) in enumerate(item.corpus.items())
        ]
        judged = [
            (item.queries[key], frozenset(name for name, gain in gains.items() if gain > 0))
            for key, gains in item.qrels.items()
        ]
        chosen = random.Random(0).sample(judged, min(n_questions, len(judged)))  # noqa: S311
        yield Corpus(item.name, sorted(passages, key=lambda one: one.file), chosen)


def file_of(number: int, title: str) -> str:
    """Return the file of a passage: that of its article, or one of many passages."""
    name = "".join(one if one.isalnum() else "_" for one in title)[:60]
    return f"{name}.txt" if name else f"{number // LINES_A_FILE:04}.txt"


if __name__ == "__main__":
    sys.exit(main())
