"""`konayuki quantize`: a model folder with 4-bit rows."""

import argparse
import json
import sys

from konayuki.cli.options import path_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("source", help="model folder or hub id")
    parser.add_argument("--out", required=True, type=path_of, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--nearest",
        action="store_true",
        help="choose each row's scale for the smallest squared error, instead of the largest value "
        "of the row as the original SSE format does",
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder; print its size and the largest error of a value."""
    from konayuki.model import StaticModel

    model = StaticModel.load(args.source)
    model.save(args.out, layout="q4", nearest=args.nearest)
    packed = StaticModel.load(args.out)
    error = packed.largest_difference(model)
    figures = {
        "out": str(args.out),
        "bytes": packed.nbytes,
        "bytes_before": model.nbytes,
        "largest_error": error.absolute,
        "largest_error_of_row_maximum": error.relative,
    }
    if args.json:
        print(json.dumps(figures))
        return 0
    bound = "" if args.nearest else " (the bound is 1/15 = 0.0667)"
    print(
        f"{args.out}: {packed.nbytes:,} bytes, {model.nbytes / packed.nbytes:.1f} times smaller; "
        f"largest error of a value {error.absolute:.4f}, "
        f"{error.relative:.4f} of the largest in its row{bound}",
        file=sys.stderr,
    )
    return 0
