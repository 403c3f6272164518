"""`konayuki train-ranker`: the weights of the second look and of the relevance."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from konayuki.cli.options import path_of

if TYPE_CHECKING:
    from konayuki.evaluation.ranker_learning import RankerTask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "--fold",
        nargs=2,
        action="append",
        required=True,
        metavar=("MODEL", "TASKS"),
        help="model folder or hub id, and a folder of evaluation sets from sources that this model "
        "has not seen; may be given several times",
    )
    parser.add_argument(
        "--for",
        dest="target",
        metavar="MODEL",
        help="model that the weights are for (default: the bundled model)",
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="names of the sets to learn from"
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names of the sets to learn the relevance from, in which every right passage is "
        "judged (default: all)",
    )
    parser.add_argument(
        "--same-source",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME",
        help="names of sets of one source, which are left out together when the weights are "
        "judged; may be given several times",
    )
    parser.add_argument(
        "--queries", type=int, default=150, metavar="N", help="questions of each set at most"
    )
    parser.add_argument("--out", required=True, type=path_of, metavar="FILE", help="file to write")
    parser.add_argument(
        "--report",
        type=path_of,
        metavar="FILE",
        help="also write what each feature is worth and how well the relevance is calibrated, on "
        "sets left out, as JSON",
    )


def run(args: argparse.Namespace) -> int:
    """Learn, write the file and print how well the weights do on sets left out."""
    from konayuki.evaluation import RetrievalSet, read_sets
    from konayuki.evaluation import ranker_learning as learning
    from konayuki.files import replace_file
    from konayuki.model import StaticModel
    from konayuki.search.ranker import Ranker

    tasks: list[learning.RankerTask] = []
    for name, folder in args.fold:
        sets = [item for item in read_sets(folder) if isinstance(item, RetrievalSet)]
        chosen = [item for item in sets if not args.only or item.name in args.only]
        model = StaticModel.load(name)
        tasks += learning.ask_tasks(model, chosen, args.queries, show_progress=not args.no_progress)
    weights = learning.learn_weights(tasks)
    calibrated = [task.name for task in tasks if not args.calibrate or task.name in args.calibrate]
    fingerprint = StaticModel.load(args.target).fingerprint
    judged = learning.judge(
        [task for task in tasks if task.name in calibrated],
        Ranker(fingerprint, weights, {"bias": 0.0}),
    )
    relevance = learning.learn_relevance(judged)
    report = _left_out(tasks, calibrated, args.same_source)
    notes = {
        "learned_from": [task.name for task in tasks],
        "calibrated_on": calibrated,
        "ndcg@10": _rounded(learning.quality(tasks, weights)),
        "ndcg@10_left_out": report["ndcg@10"]["all"],
        "relevance_quality_left_out": {
            name: value for name, value in report["relevance"].items() if name != "diagram"
        },
    }
    replace_file(args.out, Ranker(fingerprint, weights, relevance).as_json(notes))
    if args.report:
        content = {"fingerprint": fingerprint, "weights": weights, **notes, "left_out": report}
        replace_file(args.report, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps({"out": str(args.out), "weights": weights, "relevance": relevance}))
    for key, values in notes.items():
        print(f"{key}: {json.dumps(values, ensure_ascii=False)}", file=sys.stderr)
    return 0


def _left_out(
    tasks: "list[RankerTask]", calibrated: list[str], same_source: list[list[str]]
) -> dict[str, Any]:
    """Return what weights and relevance are worth on sets that they were not learned from."""
    from konayuki.evaluation import ranker_learning as learning
    from konayuki.search.ranker import FEATURES

    weights = learning.weights_left_out(tasks, same_source)
    scores = {"all": _rounded(learning.quality_left_out(tasks, weights))}
    for name in FEATURES:
        rest = [other for other in FEATURES if other != name]
        without = learning.weights_left_out(tasks, same_source, rest)
        scores[f"without {name}"] = _rounded(learning.quality_left_out(tasks, without))
    for name in ("dense", "lexical", "late"):
        alone = {task.name: {other: float(other == name) for other in FEATURES} for task in tasks}
        scores[f"{name} alone"] = _rounded(learning.quality_left_out(tasks, alone))
    results = learning.judged_left_out(tasks, weights, calibrated, same_source)
    return {
        "ndcg@10": scores,
        "relevance": learning.relevance_quality(*learning.pooled(results)),
        "relevance_by_task": {
            name: learning.relevance_quality(judged, chances)
            for name, (judged, chances) in results.items()
        },
    }


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 4) for name, score in scores.items()}
