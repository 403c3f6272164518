"""Score models on the development collection, spellings and, read off, other sets.

    python tools/development/score.py MODEL ... --development DEV [--sets EVAL] [--json FILE]

nDCG@10 of the dense half by task and their mean, with 512 and 256 dimensions; the median cosine of
held-out spellings by kind and the mean cosine of random ones (near 0, or the rows have collapsed).
MODEL is a model folder or "bundled".
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from konayuki.evaluation import evaluate_dense, read_sets
from konayuki.model import StaticModel

DIMS = (512, 256)
METRICS = ("ndcg@10", "spearman_cosine")
# The pairs of the issue that asked for spelling.
SHOWN = (
    ("東京", "とうきょう"),
    ("ディジタル", "デジタル"),
    ("国際", "國際"),
    ("わがはい", "ワガハイ"),
    ("引越し", "引っ越し"),
    ("渡辺", "渡邊"),
    ("申込", "申し込み"),
    ("サーバ", "サーバー"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help='model folders, or "bundled"')
    parser.add_argument("--development", type=Path, required=True, help="folder of build.py")
    parser.add_argument("--sets", type=Path, help="other sets, read off and not chosen by")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    results = {}
    for name in options.models:
        model = StaticModel.load(None if name == "bundled" else name)
        scores = {"development": retrieval(model, options.development / "tasks")}
        scores["spelling"] = spelling(model, options.development / "spelling" / "held-out")
        if options.sets:
            scores["sets"] = retrieval(model, options.sets)
        scores["pairs"] = {f"{one} {other}": cosine(model, one, other) for one, other in SHOWN}
        results[name] = scores
        print(name, json.dumps(_summary(scores), ensure_ascii=False), flush=True)
    if options.json:
        text = json.dumps(results, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def retrieval(model: StaticModel, folder: Path) -> dict[str, float]:
    """Return nDCG@10 by set and their mean, and the correlation of similarity sets."""
    scores_by_name: dict[str, float] = {}
    dims = [dim for dim in DIMS if dim <= model.dim]
    for evaluation_set in read_sets(str(folder)):
        for scores in evaluate_dense(model, evaluation_set, dims):
            suffix = "" if scores.setting.dim == dims[0] else f"@{scores.setting.dim}"
            for metric in METRICS:
                if metric in scores.metrics:
                    name = evaluation_set.name + ("" if metric == METRICS[0] else f" {metric}")
                    scores_by_name[name + suffix] = round(float(scores.metrics[metric]), 4)
    for suffix in ("", *(f"@{dim}" for dim in dims[1:])):
        values = [
            value
            for name, value in scores_by_name.items()
            if " " not in name and name.partition("@")[2] == suffix[1:]
        ]
        scores_by_name[f"mean{suffix}"] = round(float(np.mean(values)), 4)
    return scores_by_name


def spelling(model: StaticModel, folder: Path) -> dict[str, float]:
    """Return the median cosine of held-out spellings by kind, and the mean one of random pairs."""
    found: dict[str, float] = {}
    firsts, seconds = [], []
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path).to_pydict()
        first, second = model.encode(table["query"]), model.encode(table["positive"])
        found[path.stem] = round(float(np.median((first * second).sum(axis=1))), 3)
        firsts.append(first)
        seconds.append(second)
    if firsts:
        first, second = np.concatenate(firsts), np.concatenate(seconds)
        order = np.random.default_rng(0).permutation(len(second))
        cosines = (first * second[order]).sum(axis=1)[order != np.arange(len(order))]
        found["random"] = round(float(cosines.mean()), 3)
    return found


def cosine(model: StaticModel, one: str, other: str) -> float:
    """Return the cosine of two texts."""
    first, second = model.encode([one, other])
    return round(float(first @ second), 3)


def _summary(scores: dict[str, dict[str, float]]) -> dict[str, object]:
    shown: dict[str, object] = {
        "development": [scores["development"]["mean"], scores["development"].get("mean@256")],
        "spelling": scores["spelling"],
    }
    if "sets" in scores:
        shown["sets"] = {key: value for key, value in scores["sets"].items() if key[-4:] != "@256"}
        shown["sets"] |= {"mean@256": scores["sets"].get("mean@256")}  # type: ignore[operator]
    return shown


if __name__ == "__main__":
    sys.exit(main())
