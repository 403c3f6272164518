"""How fast and how well the nearest int8 vectors of a query are found, by number of vectors.

    python benchmarks/scan.py [--sizes 10000,100000,1000000] [--peers 100000] [--json FILE]

Vectors are real: passages of up to 200 characters under the shared data folder, encoded by the
model; queries are questions of the same sources. Per size and method: best, median and 99th
percentile of one query, and recall@10 against float32 vectors. Every method answers in the same
run, in turns; on a machine that does other work as well the best time is the one to compare.

Vectors of 1,024 dimensions are those of 512 twice over: the same neighbours at twice the bytes.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index, search

import corpus
from environment import environment
from konayuki.model import quantize_vectors
from konayuki.model.native import Scanner, describe, kernel
from konayuki.model.static import StaticModel
from konayuki.progress import track
from neighbours import Codes, Truth

RESULTS = Path(__file__).parent / "results"
AT = 10
ROUNDS = 3
BLOCK = 4096

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


def encode(
    model: StaticModel, texts: list[str], questions: list[str]
) -> tuple[Codes, Codes, Truth]:
    """Return codes of the passages, codes of the questions, and the true neighbours."""
    vectors = model.encode(questions)
    truth = Truth(vectors, AT)
    codes = np.empty((len(texts), model.dim), np.int8)
    for start in track(range(0, len(texts), BLOCK), "encode", unit=" blocks"):
        part = model.encode(texts[start : start + BLOCK])
        truth.add(part, start)
        codes[start : start + BLOCK] = quantize_vectors(part, "int8")
    return codes, quantize_vectors(vectors, "int8"), truth


def exact(scanner: Scanner, codes: Codes, threads: int) -> Method:
    """Every vector, in the kernel."""
    return lambda query, k: scanner.nearest(codes, query, k, threads=threads)[0]


def exact_of(scanner: Scanner, codes: Codes, dims: int) -> Method:
    """Every vector at another number of dimensions: cut, or repeated."""
    times = -(-dims // codes.shape[1])
    matrix = np.ascontiguousarray(np.tile(codes, times)[:, :dims])
    return lambda query, k: scanner.nearest(matrix, np.tile(query, times)[:dims], k, threads=1)[0]


def float_product(codes: Codes, dims: int) -> Method:
    """Every float32 vector by NumPy's matrix product, as searching without an index does."""
    times = -(-dims // codes.shape[1])
    floats = np.tile(codes, times)[:, :dims].astype(np.float32)
    floats /= np.linalg.norm(floats, axis=1, keepdims=True) + 1e-9

    def run(query: Codes, k: int) -> Rows:
        scores = floats @ np.tile(query, times)[:dims].astype(np.float32)
        best = np.argpartition(-scores, k)[:k]
        return best[np.argsort(-scores[best])]

    return run


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


def threads_of_blas() -> int:
    """Return how many threads NumPy's products may take."""
    named = os.environ.get("OMP_NUM_THREADS") or os.environ.get("OPENBLAS_NUM_THREADS")
    return int(named) if named else os.cpu_count() or 1


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


def bench(codes: Codes, queries: Codes, truth: Truth, with_peers: bool) -> list[Row]:
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
    if with_peers:
        for dims in (256, 1024):
            enter(f"exact, {dims} dims, threads 1", exact_of(scanner, codes, dims), 1, 0, 0.0)
        for dims in (256, 512, 1024):
            method, n_bytes = float_product(codes, dims), 4 * dims * len(codes)
            enter(f"NumPy float32, {dims} dims", method, threads_of_blas(), n_bytes, 0.0)
        enter("usearch exact, threads 1", usearch_exact(codes, 1), 1, 0, 0.0)
        graph, seconds, n_bytes = usearch_hnsw(codes, 1)
        enter("usearch HNSW, threads 1", graph, 1, n_bytes, seconds)
    results = measure(methods, queries, truth)
    return [
        Row(len(codes), name, costs[name][0], *results[name], *costs[name][1:]) for name in methods
    ]


def main() -> None:
    """Run the benchmark and print a table, and JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--peers", type=int, default=100_000, help="largest size for peers")
    parser.add_argument("--json", type=Path, default=RESULTS / "scan.json")
    arguments = parser.parse_args()
    model = StaticModel.load(arguments.model)
    questions = corpus.questions(arguments.queries)
    sizes = sorted(map(int, arguments.sizes.split(",")))
    texts = corpus.passages(sizes[-1])
    rows: list[Row] = []
    for size in sizes:
        codes, queries, truth = encode(model, texts[:size], questions)
        found = bench(codes, queries, truth, size <= arguments.peers)
        rows += found
        for row in found:
            print(
                f"{row.n_vectors:>9,}  {row.method:<44}"
                f"{row.best_ms:8.2f} {row.p50_ms:8.2f} {row.p99_ms:8.2f} ms"
                f"  recall {row.recall_at_10:.3f}  build {row.build_s:.1f} s"
            )
    about = {**environment(("numpy", "usearch")), "kernel": describe(), "dim": model.dim}
    record = {"environment": about, "rows": [asdict(row) for row in rows]}
    arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
