"""`torchrun -m konayuki.training RECIPE --out DIR`: a run that several processes share."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from konayuki.errors import InputError, KonayukiError
from konayuki.extras import require


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return 0, 1 for a failure or 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m konayuki.training",
        description="Train the model of a recipe, with torchrun in several processes.",
    )
    parser.add_argument("recipe", type=Path, help="TOML file of the run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--data", type=Path, help="folder of the files (default: the recipe's)")
    parser.add_argument("--cache", type=Path, help="keep tokenised pairs here for other runs")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    args = parser.parse_args(arguments)
    try:
        for module in ("torch", "sentence_transformers", "tokenizers"):
            require(module, "train")
        from konayuki.training.run import train

        data = args.data or args.recipe.parent
        train(args.recipe, data, args.out, cache=args.cache, resume=args.resume)
    except KonayukiError as error:
        sys.stderr.write(f"konayuki.training: {error}\n")
        return 2 if isinstance(error, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
