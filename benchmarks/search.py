"""How fast an index is built and answers, and what its dense half misses: the bundled model.

    python benchmarks/search.py [--passages 100000] [--queries 300] [--texts real] [--json FILE]

Real texts are passages of up to 200 characters and questions from the shared data folder; synthetic
ones (synthetic.py) need no data. The record goes to results/search_100k.json, search_1m.json and so
on; the last line on stdout is JSON.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

import corpus
import konayuki
import synthetic
from environment import environment
from konayuki.choices import MODES, Mode
from konayuki.model.native import describe
from konayuki.progress import track
from konayuki.search import Index
from konayuki.search.fusion import fuse
from konayuki.search.ranking import Question, View
from neighbours import Truth

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "tantivy", "usearch", "sentencepiece")
BLOCK = 8192
N_TRUTHS = 100


def tell(what: str) -> None:
    """Say on stderr what is being done."""
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


def records(texts: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield passages as an index takes them; a hundredth of them are in each part."""
    for number, text in enumerate(texts):
        yield {"id": str(number), "text": text, "metadata": {"part": number % 100}}


def latencies_ms(call: Callable[[str], object], queries: Sequence[str]) -> dict[str, float]:
    """Return the least, the median and the 99th percentile of one call a query, warmed up."""
    for query in queries[:20]:
        call(query)
    times = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        times.append((time.perf_counter() - start) * 1000)
    least, p50, p99 = np.percentile(times, [0, 50, 99]).round(3).tolist()
    return {"best_ms": least, "p50_ms": p50, "p99_ms": p99}


def dense_recall(
    index: Index, model: konayuki.StaticModel, texts: Sequence[str], queries: Sequence[str]
) -> float:
    """Return the share of the ten best by float32 cosine that dense search finds."""
    truth = Truth(model.encode(list(queries)))
    for start in track(range(0, len(texts), BLOCK), "true neighbours", unit=" blocks"):
        truth.add(model.encode(texts[start : start + BLOCK]), start)
    found = [{int(hit.id) for hit in index.search(query, 10, "dense")} for query in queries]
    shared = [len(ids & set(rows)) for ids, rows in zip(found, truth.rows.tolist(), strict=True)]
    return round(sum(shared) / (10 * len(queries)), 4)


def lexical_candidates(
    index: Index, model: konayuki.StaticModel, queries: Sequence[str]
) -> dict[str, float]:
    """Return what hybrid search would cost, and find, without candidates of the dense half."""
    view = index._store.current()

    def search(query: str) -> list[int]:
        return best_of_words(view, Question(query, model.encode(query)))

    pairs = [(search(query), index.search(query, 10)) for query in queries]
    shared = [len(set(rows) & {int(hit.id) + 1 for hit in hits}) for rows, hits in pairs]
    return {
        **latencies_ms(search, queries),
        "share_of_hybrid": round(sum(shared) / 10 / len(pairs), 4),
    }


def best_of_words(view: View, question: Question, depth: int = 200) -> list[int]:
    """Return the ten best rows by fused score among the `depth` best by words."""
    rows, lexical = view._matching(question, depth)
    assert question.vector is not None  # noqa: S101 - set above
    cosines = view.vectors.cosines(rows, question.vector)
    scores = fuse(lexical, cosines, view.lexical.ceiling(question.text))
    return rows[np.argsort(-scores, kind="stable")[:10]].tolist()


def build(index: Index, texts: Sequence[str]) -> dict[str, float]:
    """Fill the index."""
    start, cpu = time.perf_counter(), time.process_time()
    index.add(records(track(texts, "build", unit=" passages")))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {
        "build_s": round(seconds, 2),
        "passages_per_s": round(len(texts) / seconds),
        "processor_s": round(cpu, 2),
    }


def measure(
    texts: Sequence[str], queries: Sequence[str], folder: Path, model: konayuki.StaticModel
) -> dict[str, object]:
    """Build an index, ask it, change it, open it again."""
    tell(f"build an index of {len(texts):,} passages")
    index = Index.create(folder, model)
    report: dict[str, object] = dict(build(index, texts))

    def search(mode: Mode, where: dict[str, int] | None = None) -> dict[str, float]:
        return latencies_ms(lambda query: index.search(query, 10, mode, where), queries)

    tell("ask")
    start = time.perf_counter()
    index.search(queries[0], 10, "dense")
    report["first_dense_ms"] = round((time.perf_counter() - start) * 1000, 1)
    report |= {mode: search(mode) for mode in MODES}
    report["hybrid_where_1_percent"] = search("hybrid", {"part": 7})
    report["lexical_candidates_only"] = lexical_candidates(index, model, queries)
    tell("compare with exact neighbours")
    report["dense_recall_at_10"] = dense_recall(index, model, texts, queries[:N_TRUTHS])
    tell("change")
    report["bytes"] = index.info()["bytes"]
    report |= change(index, texts, search)
    index.close()
    start = time.perf_counter()
    Index.open(folder, model).close()
    report["open_ms"] = round((time.perf_counter() - start) * 1000, 1)
    return report


def change(
    index: Index, texts: Sequence[str], search: Callable[[Mode], dict[str, float]]
) -> dict[str, object]:
    """Add one passage, delete a hundred, and ask again."""
    start = time.perf_counter()
    index.add([{"id": "late", "text": texts[0]}])
    seconds = time.perf_counter() - start
    index.delete(map(str, range(100)))
    return {"add_one_ms": round(seconds * 1000, 1), "hybrid_after_deletions": search("hybrid")}


def name_of(count: int) -> str:
    """Return a count as the result files have it: 100k, 1m."""
    for unit, letter in ((10**6, "m"), (10**3, "k")):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)


def peak_mb() -> float:
    """Return the most memory that this process had, mapped files included."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--texts", choices=("real", "synthetic"))
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--folder", type=Path, help="where the index is made; not on a memory disk")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    kind = args.texts or ("real" if corpus.available() else "synthetic")
    texts, queries = (
        (corpus.passages(args.passages), corpus.questions(args.queries))
        if kind == "real"
        else synthetic.texts(args.passages, args.queries)
    )
    before = {**environment(PACKAGES), "kernel": describe()}
    about = {
        "passages": len(texts),
        "texts": kind,
        "characters_mean": round(sum(map(len, texts)) / len(texts), 1),
        "queries": len(queries),
    }
    model = konayuki.StaticModel.load(args.model)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        report = {**about, **measure(texts, queries, Path(folder) / "i", model), **before}
    report["peak_mb"] = peak_mb()
    path = args.json or RESULTS / f"search_{name_of(len(texts))}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
