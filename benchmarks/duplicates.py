"""What finding near-duplicates and clusters costs, in processor time, against plain products.

    python benchmarks/duplicates.py --pairs FOLDER [--sizes 10000,30000,100000]

Texts are distinct questions of the pairs' files. `plain` multiplies every text with every
representative in full, in the same blocks, as NumPy users do.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from environment import environment
from konayuki import StaticModel
from konayuki.arrays import FloatMatrix
from konayuki.scale import duplicates
from konayuki.scale.clusters import find_clusters
from konayuki.scale.disk_vectors import vectors_on_disk
from scale import texts_of

RESULTS = Path(__file__).parent / "results" / "duplicates.json"
N_CLUSTERS = 100


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what the work gave, its processor seconds and its seconds."""
    started, spent = time.perf_counter(), time.process_time()
    result = work()
    return result, round(time.process_time() - spent, 2), round(time.perf_counter() - started, 2)


def plain_leaders(vectors: FloatMatrix, threshold: float) -> int:
    """Return the number of representatives, found without bounds."""
    prefix, duplicates._PREFIX = duplicates._PREFIX, 0
    try:
        leaders, _ = duplicates.find_leaders(vectors, threshold)
    finally:
        duplicates._PREFIX = prefix
    return int((leaders == np.arange(len(leaders))).sum())


def measured(texts: list[str], model: StaticModel, *, plain: bool) -> dict[str, Any]:
    """Return the times for these texts."""
    found, cpu, wall = timed(lambda: duplicates.find_duplicates(texts, model=model))
    record: dict[str, Any] = {"texts": len(texts), "kept": int(found.kept.sum())}
    record["dedup"] = {"cpu_seconds": cpu, "seconds": wall}
    if plain:
        with vectors_on_disk(texts, model) as vectors:
            n_kept, cpu, wall = timed(lambda: plain_leaders(vectors, duplicates.DEFAULT_THRESHOLD))
        record["plain"] = {"cpu_seconds": cpu, "seconds": wall, "kept": n_kept}
    _, cpu, wall = timed(lambda: find_clusters(texts, N_CLUSTERS, model=model))
    record["cluster"] = {"k": N_CLUSTERS, "cpu_seconds": cpu, "seconds": wall}
    print(record, flush=True)
    return record


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,30000,100000")
    parser.add_argument("--json", type=Path, default=RESULTS)
    args = parser.parse_args()
    sizes = sorted(int(size) for size in args.sizes.split(","))
    distinct = dict.fromkeys(islice(texts_of(args.pairs, "query"), 3, None, 5))
    texts = list(islice(distinct, sizes[-1]))
    model = StaticModel.load()
    record: dict[str, Any] = {**environment(["numpy"]), "threads": os.cpu_count()}
    record["threshold"] = duplicates.DEFAULT_THRESHOLD
    record["runs"] = [
        measured(texts[:size], model, plain=size <= sizes[min(1, len(sizes) - 1)]) for size in sizes
    ]
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
