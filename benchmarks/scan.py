"""How fast and how well the nearest int8 vectors of a query are found, by number of vectors.

    python benchmarks/scan.py [--sizes 10000,100000] [--model FOLDER] [--hnsw 100000] [--json FILE]

Vectors are real: passages of the training pairs under the shared data folder, encoded by the model;
queries are questions of the same pairs. Per size and method: best, median and 99th percentile of
one query, and recall@10 against float32 vectors. Every method answers in the same run, in turns; on
a machine that does other work as well the best time is the one to compare.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray
from usearch.index import Index, search

from environment import environment
from konayuki.model.native import Scanner, describe, kernel
from konayuki.model.static import StaticModel

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KONAYUKI_DATA", ROOT.parent / "shared" / "data"))
AT = 10
ROUNDS = 3

Codes = NDArray[np.int8]
Rows = NDArray[np.int64]
Method = Callable[[Codes, int], Rows]


@dataclass(frozen=True)
class Row:
    """One method at one size."""

    n_vectors: int
    method: str
    threads: int
    best_ms: float
    p50_ms: float
    p99_ms: float
    recall_at_10: float
    extra_bytes: int
    build_s: float


def quantize(vectors: NDArray[np.float32]) -> Codes:
    """Return codes whose largest value is 127 in each row, as an index stores them."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(vectors * (127 / np.maximum(largest, 1e-9))).astype(np.int8)


def encode(model: StaticModel, size: int, queries: list[str]) -> tuple[Codes, Codes, Truth]:
    """Return codes of `size` passages, codes of the queries, and the true neighbours."""
    vectors = model.encode(queries)
    truth = Truth(vectors)
    codes = np.empty((size, model.dim), np.int8)
    filled = 0
    for block in passages(size):
        for start in range(0, len(block), 4096):
            part = model.encode(block[start : start + 4096])
            truth.add(part, filled)
            codes[filled : filled + len(part)] = quantize(part)
            filled += len(part)
    return codes[:filled], quantize(vectors), truth


def exact(scanner: Scanner, codes: Codes, threads: int) -> Method:
    """Every vector, in the kernel."""
    return lambda query, k: scanner.nearest(codes, query, k, threads=threads)[0]


def heads(scanner: Scanner, codes: Codes, head: Codes, n_candidates: int, threads: int) -> Method:
    """Candidates by a copy of the first columns, then their order by all columns."""
    columns = head.shape[1]

    def run(query: Codes, k: int) -> Rows:
        rows, _ = scanner.nearest(head, query[:columns], n_candidates, threads=threads)
        return scanner.score(codes, query, rows)[0][:k]

    return run


def sketched(
    scanner: Scanner, codes: Codes, sketches: NDArray[np.uint8], n_candidates: int, threads: int
) -> Method:
    """Candidates by two-bit sketches, then their order by all bits."""

    def run(query: Codes, k: int) -> Rows:
        rows = scanner.nearest_by_sketch(sketches, query, n_candidates, threads=threads)
        return scanner.score(codes, query, rows)[0][:k]

    return run


def usearch_exact(codes: Codes, threads: int) -> Method:
    """Every vector, in usearch."""
    return lambda query, k: search(codes, query, k, metric="cos", exact=True, threads=threads).keys


def usearch_hnsw(codes: Codes, threads: int) -> tuple[Method, float, int]:
    """A graph with usearch's defaults; also the seconds to build it and its bytes."""
    start = time.perf_counter()
    index = Index(ndim=codes.shape[1], metric="cos", dtype="i8")
    index.add(np.arange(len(codes)), codes, threads=os.cpu_count() or 1)
    seconds = time.perf_counter() - start
    return (
        lambda query, k: index.search(query, k, threads=threads).keys.astype(np.int64),
        seconds,
        index.memory_usage,
    )


def measure(methods: dict[str, Method], queries: Codes, truth: Truth) -> dict[str, list[float]]:
    """Return best, median and 99th percentile in ms and recall of each method, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    hits = dict.fromkeys(methods, 0)
    for method in methods.values():
        method(queries[0], AT)
    for turn in range(ROUNDS):
        for query, wanted in zip(queries, truth.rows, strict=True):
            for name, method in methods.items():
                start = time.perf_counter()
                rows = method(query, AT)
                times[name].append(1e3 * (time.perf_counter() - start))
                if turn == 0:
                    hits[name] += len(np.intersect1d(rows, wanted))
    return {
        name: [*np.percentile(times[name], (0, 50, 99)).tolist(), hits[name] / truth.rows.size]
        for name in methods
    }


def bench(codes: Codes, queries: Codes, truth: Truth, with_hnsw: bool) -> list[Row]:
    """Return one row per method for one size."""
    native = kernel()
    if native is None:
        raise SystemExit("the extension is not built: there is nothing to compare")
    scanner = Scanner(native)
    methods: dict[str, Method] = {}
    costs: dict[str, tuple[int, int, float]] = {}  # threads, bytes, seconds to build

    def enter(name: str, method: Method, threads: int, n_bytes: int, seconds: float) -> None:
        methods[name] = method
        costs[name] = (threads, n_bytes, seconds)

    start = time.perf_counter()
    sketches = scanner.sketches(codes)
    seconds = time.perf_counter() - start
    for threads in (1, 2):
        enter(f"exact, threads {threads}", exact(scanner, codes, threads), threads, 0, 0.0)
        for count in (100, 200):
            method = sketched(scanner, codes, sketches, count, threads)
            name = f"sketches, {count} candidates, threads {threads}"
            enter(name, method, threads, sketches.nbytes, seconds)
    head = np.ascontiguousarray(codes[:, :256])
    for count in (100, 300):
        method = heads(scanner, codes, head, count, 1)
        enter(f"first 256 columns, {count} candidates, threads 1", method, 1, head.nbytes, 0.0)
    enter("usearch exact, threads 1", usearch_exact(codes, 1), 1, 0, 0.0)
    if with_hnsw:
        graph, seconds, n_bytes = usearch_hnsw(codes, 1)
        enter("usearch HNSW, threads 1", graph, 1, n_bytes, seconds)
    results = measure(methods, queries, truth)
    return [
        Row(len(codes), name, costs[name][0], *results[name], *costs[name][1:]) for name in methods
    ]


def main() -> None:
    """Run the benchmark and print a table, and JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--model", help="a model folder; the bundled one unless given")
    parser.add_argument("--hnsw", type=int, default=100_000, help="largest size to build HNSW for")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = StaticModel.load(arguments.model)
    asked = questions(arguments.queries)
    rows: list[Row] = []
    for size in map(int, arguments.sizes.split(",")):
        codes, queries, truth = encode(model, size, asked)
        found = bench(codes, queries, truth, len(codes) <= arguments.hnsw)
        rows += found
        for row in found:
            print(
                f"{row.n_vectors:>9,}  {row.method:<44}"
                f"{row.best_ms:8.2f} {row.p50_ms:8.2f} {row.p99_ms:8.2f} ms"
                f"  recall {row.recall_at_10:.3f}  build {row.build_s:.1f} s"
            )
    if arguments.json:
        about = {**environment(("numpy", "usearch")), "kernel": describe(), "dim": model.dim}
        record = {"environment": about, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
