"""`konayuki card`: write the model card of a folder."""

import argparse

from konayuki.cli.options import path_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "folder",
        type=path_of,
        help="model folder with evaluation.json (from konayuki evaluate --json); "
        "its train.json and SOURCES.tsv are used if they exist",
    )
    parser.add_argument(
        "--name",
        help="name or hub id on the card (default: the name in train.json, or that of the folder)",
    )
    parser.add_argument(
        "--license", help="licence of the weights (default: the one in train.json, or none)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the card and print its path."""
    from konayuki.evaluation.card import write_card

    print(write_card(args.folder, name=args.name, licence=args.license))
    return 0
