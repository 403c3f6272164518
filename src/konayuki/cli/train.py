"""`konayuki train`: a model from a recipe."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from konayuki.cli.options import path_of
from konayuki.extras import require

if TYPE_CHECKING:
    from konayuki.training.run import Engine


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


def train_as_asked(args: argparse.Namespace, engine: "Engine | None" = None) -> dict[str, Any]:
    """Train a model as the arguments say; return the record of the run."""
    from konayuki.training.run import FUSED, train

    return train(
        args.recipe,
        args.data or args.recipe.parent,
        args.out,
        cache=args.cache,
        changes=args.set,
        resume=args.resume,
        engine=engine or FUSED,
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
    for layout, scores in record["development"].items():
        for name, score in scores.items():
            print(f"  {layout:5} {name:40} {score:.4f}")
    return 0
