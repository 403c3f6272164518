"""`konayuki get`: read a passage, with what stands before and after it."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from konayuki.cli.options import path_of
from konayuki.cli.search import clean
from konayuki.errors import InputError
from konayuki.ingest.opening import open_file

if TYPE_CHECKING:
    from konayuki.search import Document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument("index", type=path_of, metavar="DIR", help="folder of the index")
    parser.add_argument(
        "passage",
        metavar="ID|PATH[:LINE]",
        help="id of a hit; or a file, of which the end of its path is enough, for all of it; or "
        "a file and the line, page, slide or row",
    )
    parser.add_argument(
        "--neighbours", type=int, default=1, metavar="N", help="passages on either side"
    )
    parser.add_argument(
        "--open", action="store_true", help="open the file with the program that the system has"
    )


def run(args: argparse.Namespace) -> int:
    """Print the passages in their order."""
    from konayuki.ingest.places import file_of, passages_at
    from konayuki.model import StaticModel
    from konayuki.search import Index
    from konayuki.search.files import place_in_words

    if args.neighbours < 0:
        raise InputError(f"--neighbours {args.neighbours}: expected a number from 0")
    model = StaticModel.load(args.model) if args.model else None
    with Index.open(args.index, model, read_only=True) as index:
        passages = passages_at(index, args.passage, args.neighbours)
        file = file_of(index, passages[0].metadata) if args.open else None
    shown = ""
    for passage in passages:
        if args.json:
            print(json.dumps(asdict(passage), ensure_ascii=False))
            continue
        heading = _heading(passage)
        place = place_in_words(passage.metadata) or passage.id
        print(f"{clean(heading)}  {clean(place)}" if heading != shown else clean(place))
        shown = heading
        print("\n".join(map(clean, passage.text.split("\n"))), end="\n\n")
    if file is not None:
        open_file(file)
    return 0


def _heading(passage: "Document") -> str:
    return " > ".join(part for part in (passage.title, passage.heading) if part)
