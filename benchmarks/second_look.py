"""What a second look finds that one look does not, and what each feature is worth.

    python benchmarks/second_look.py --sets FOLDER [--queries N] [--json FILE]

Every set is indexed and asked by the engine itself. The weights are those next to the bundled
model; none is chosen on these sets. An ablation leaves one feature out and keeps the others'
weights. Times are of single questions, on this machine as it is.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

import konayuki
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.evaluation.ranker_learning import Asked, quality_of
from konayuki.search import Index
from konayuki.search.ranker import FEATURES, ranker_of
from search import PACKAGES, RESULTS

WAYS = {
    "dense": {"mode": "dense"},
    "lexical": {"mode": "lexical"},
    "one look": {"rerank": False},
    "two looks": {"distinct": False},
}


def measure(source: RetrievalSet, model: konayuki.StaticModel) -> dict[str, object]:
    """Return nDCG@10 of every way, of every ablation, and the median time of a question."""
    weights = dict(ranker_of(model).weights)
    scores: dict[str, list[float]] = {name: [] for name in WAYS}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    asked = []
    with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i", model) as index:
        index.add(records_of(source, titles=True))
        for query_id, text in source.queries.items():
            gains = source.qrels[query_id]
            for name, options in WAYS.items():
                start = time.perf_counter()
                hits = index.search(text, 10, **options)  # type: ignore[arg-type]
                times[name].append((time.perf_counter() - start) * 1000)
                scores[name].append(ndcg([hit.id for hit in hits], gains, at=10))
            ids, candidates = index.candidates(text)
            values = np.array([gains.get(name, 0) for name in ids], dtype=np.int64)
            asked.append(Asked(candidates, values, sorted(gains.values(), reverse=True)))
    ablation = {name: quality_of(asked, weights | {name: 0.0}) for name in FEATURES}
    return {
        "queries": len(source.queries),
        "passages": len(source.corpus),
        **{name: round(float(np.mean(values)), 4) for name, values in scores.items()},
        "without": {name: round(value, 4) for name, value in ablation.items()},
        "p50_ms": {name: round(float(np.median(values)), 2) for name, values in times.items()},
    }


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=0, help="questions of each set; 0: all")
    parser.add_argument("--json", type=Path, default=RESULTS / "second-look.json")
    args = parser.parse_args()
    model = konayuki.StaticModel.load()
    record: dict[str, object] = {"model": model.fingerprint, **environment(PACKAGES)}
    table: dict[str, dict[str, object]] = {}
    for source in read_sets(args.sets):
        if isinstance(source, RetrievalSet):
            chosen = source.sample(args.queries) if args.queries else source
            table[source.name] = measure(chosen, model)
            print(source.name, json.dumps(table[source.name]), flush=True)
    record["sets"] = table
    record["mean"] = {
        way: round(float(np.mean([row[way] for row in table.values()])), 4) for way in WAYS
    }
    record["mean_without"] = {
        name: round(float(np.mean([row["without"][name] for row in table.values()])), 4)  # type: ignore[index]
        for name in FEATURES
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps({"mean": record["mean"], "mean_without": record["mean_without"]}))


if __name__ == "__main__":
    main()
