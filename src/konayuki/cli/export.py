"""`konayuki export`: a model folder that sentence-transformers opens."""

import argparse
import sys

from konayuki.cli.options import path_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "source", nargs="?", help="model folder or hub id (default: the bundled model)"
    )
    parser.add_argument("--out", required=True, type=path_of, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--layout", choices=("float", "q4"), help="layout of the rows (default: as in the source)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder."""
    from konayuki.model import StaticModel

    model = StaticModel.load(args.source, dim=args.dim)
    layout = args.layout or model.layout
    model.save(args.out, layout=layout)
    print(f"{args.out}: {model.vocab_size} x {model.dim}, {layout}", file=sys.stderr)
    print(
        f"open it with SentenceTransformer({str(args.out)!r}, trust_remote_code=True)",
        file=sys.stderr,
    )
    return 0
