"""Score search on questions as they were asked and as `rewrite.py` spelled them.

    python tools/spelling/score.py --rewritten REWRITTEN [--model MODEL] [--json FILE]

nDCG@10 of each mode: by set, by how the spellings differ, and the mean of the sets, on the same
questions; and the median time of a question as the ratio of rewritten to original ones.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.model import StaticModel
from konayuki.search import Index

MODES = ("lexical", "dense", "hybrid")
VERSIONS = ("original", "respelled")


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rewritten", type=Path, required=True, help="folder of rewrite.py")
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names of sets")
    parser.add_argument("--queries", type=int, default=120, help="questions of a set at most")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--indexes", type=Path, help="keep the indexes here and use them again")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    model = StaticModel.load(options.model)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for original in read_sets(str(options.rewritten / "original")):
            if not isinstance(original, RetrievalSet):
                continue
            if options.only and original.name not in options.only:
                continue
            with open_index(options.indexes or Path(folder), original, model) as index:
                rows += ask(index, original, options.rewritten, options.queries, options.modes)
    result = summary(rows, options.modes)
    print(json.dumps({key: result[key] for key in ("mean", "kinds")}, ensure_ascii=False, indent=1))
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def open_index(folder: Path, source: RetrievalSet, model: StaticModel) -> Index:
    """Return the index of a set, made if it is not in the folder yet."""
    path = folder / f"{source.name}-{model.fingerprint[:8]}"
    if path.exists():
        return Index.open(path, model)
    folder.mkdir(parents=True, exist_ok=True)
    index = Index.create(path, model)
    index.add(records_of(source, titles=True))
    return index


def ask(
    index: Index, source: RetrievalSet, rewritten: Path, n_queries: int, modes: Sequence[str]
) -> list[dict[str, object]]:
    """Return a row for each question and mode: its kind, both scores and both times."""
    texts = {
        version: {
            row["_id"]: row
            for row in pq.read_table(
                rewritten / version / source.name / "queries.parquet"
            ).to_pylist()
        }
        for version in VERSIONS
    }
    rows: list[dict[str, object]] = []
    for query_id in list(texts["original"])[:n_queries]:
        gains = source.qrels[query_id]
        for mode in modes:
            row: dict[str, object] = {
                "set": source.name,
                "mode": mode,
                "kind": texts["original"][query_id]["kind"],
            }
            for version in VERSIONS:
                start = time.perf_counter()
                hits = index.search(texts[version][query_id]["text"], 10, mode)  # type: ignore[arg-type]
                row[f"{version} ms"] = 1000 * (time.perf_counter() - start)
                row[version] = ndcg([hit.id for hit in hits], gains, at=10)
            rows.append(row)
    return rows


def summary(rows: Sequence[Mapping[str, object]], modes: Sequence[str]) -> dict[str, object]:
    """Return mean scores by set and by kind (of questions), and the mean of the sets."""
    result: dict[str, dict[str, dict[str, object]]] = {}
    for column in ("set", "kind"):
        groups: defaultdict[str, defaultdict[str, list[Mapping[str, object]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for row in rows:
            groups[str(row[column])][str(row["mode"])].append(row)
        result[f"{column}s"] = {
            name: {mode: _means(part[mode]) for mode in modes} | {"n": len(part[modes[0]])}
            for name, part in groups.items()
        }
    sets = list(result["sets"].values())
    mean = {
        mode: np.mean([part[mode] for part in sets], axis=0).round(4).tolist()  # type: ignore[arg-type]
        for mode in modes
    }
    ratio = np.median([row["respelled ms"] / row["original ms"] for row in rows])  # type: ignore[operator]
    return {"mean": mean, **result, "time ratio": round(float(ratio), 3)}


def _means(rows: Sequence[Mapping[str, object]]) -> list[float]:
    return [round(float(np.mean([row[version] for row in rows])), 4) for version in VERSIONS]  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
