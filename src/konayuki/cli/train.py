"""`konayuki train`: a model from a recipe."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from konayuki.cli.options import path_of
from konayuki.extras import require

if TYPE_CHECKING:
    from konayuki.training.run import Loop

# The rows of the tables of scores, by their names in the record of a run.
MODELS = {
    "start": "before training",
    "float": "after it, float rows (float/)",
    "q4": "after it, 4-bit rows (q4/)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("recipe", type=path_of, metavar="RECIPE", help="TOML file of the run")
    parser.add_argument(
        "--out", required=True, type=path_of, metavar="DIR", help="folder of the new model"
    )
    parser.add_argument(
        "--data",
        type=path_of,
        metavar="DIR",
        help="folder that the recipe names its files from (default: the folder of the recipe)",
    )
    parser.add_argument(
        "--cache", type=path_of, metavar="DIR", help="keep tokenised pairs here for other runs"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the recipe, as in training.steps=400; repeatable",
    )
    parser.add_argument("--resume", action="store_true", help="resume from the last checkpoint")


def train_as_asked(args: argparse.Namespace, loop: "Loop | None" = None) -> dict[str, Any]:
    """Train a model as the arguments say; return the record of the run."""
    from konayuki.training.run import FUSED, train

    return train(
        args.recipe,
        args.data or args.recipe.parent,
        args.out,
        cache=args.cache,
        changes=args.set,
        resume=args.resume,
        loop=loop or FUSED,
    )


def run(args: argparse.Namespace) -> int:
    """Train a model and print its scores on the held-out tasks."""
    for module in ("torch", "sentence_transformers", "tokenizers"):
        require(module, "train")
    record = train_as_asked(args)
    shown = {key: record[key] for key in ("name", "n_pairs", "n_steps", "wall_s", "development")}
    if args.json:
        print(json.dumps({"out": str(args.out), **shown}, ensure_ascii=False))
        return 0
    print(f"{args.out}: {record['n_steps']} steps over {record['n_pairs']} pairs")
    print("".join(f"\n{table}" for table in score_tables(record)), end="")
    return 0


def score_tables(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield nDCG@10 on each held-out task: a row per model, a column per dimension.

    Args:
        record: The record of a run, as `train.json` keeps it.
    """
    from konayuki.evaluation.report import format_table

    dims = record["settings"]["model"]["dims"]
    tasks = record.get("held_out", {})  # not in the records of old runs
    titles = {
        name: f"{name}: {size['queries']} held-out queries, {size['passages']} passages"
        for name, size in tasks.items()
    }
    if len(tasks) > 1:
        titles["mean"] = f"mean of {len(tasks)} held-out tasks"
    for task, title in titles.items():
        names = [task if dim == dims[0] else f"{task}@{dim}" for dim in dims]
        rows = [
            [MODELS[model], *(f"{scores[f'{name}_ndcg@10']:.4f}" for name in names)]
            for model, scores in record["development"].items()
        ]
        header = ["nDCG@10, by number of dimensions", *map(str, dims)]
        yield f"{title}\n{format_table(header, rows)}"
