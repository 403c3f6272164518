"""`konayuki train-ranker`: the weights of the second look and of the relevance."""

import argparse
import json
import sys

from konayuki.cli.options import path_of


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
        "--queries", type=int, default=150, metavar="N", help="questions of each set at most"
    )
    parser.add_argument("--out", required=True, type=path_of, metavar="FILE", help="file to write")


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
    ranker = Ranker(StaticModel.load(args.target).fingerprint, weights, {"bias": 0.0})
    whole = [task for task in tasks if not args.calibrate or task.name in args.calibrate]
    judged = learning.judge(whole, ranker)
    relevance = learning.learn_relevance(judged)
    notes = {
        "learned_from": [task.name for task in tasks],
        "calibrated_on": [task.name for task in whole],
        "ndcg@10": _rounded(learning.quality(tasks, weights)),
        "ndcg@10_left_out": _rounded(learning.leave_one_out(tasks)),
        "relevance_quality": learning.relevance_quality(judged, relevance),
    }
    replace_file(args.out, Ranker(ranker.fingerprint, weights, relevance).as_json(notes))
    print(json.dumps({"out": str(args.out), "weights": weights, "relevance": relevance}))
    for key, values in notes.items():
        print(f"{key}: {json.dumps(values, ensure_ascii=False)}", file=sys.stderr)
    return 0


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 4) for name, score in scores.items()}
