"""`konayuki evaluate`: retrieval quality on BEIR-layout sets."""

import argparse
import sys
from pathlib import Path

from konayuki.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model", help="model folder or hub id; 'bundled' is the one in the package")
    parser.add_argument(
        "--data", required=True, help="folder with a set or with folders of sets, or a hub id"
    )
    parser.add_argument("--sets", default="", help="names of the sets wanted, with commas")
    parser.add_argument(
        "--dims", default="", help="dimensions, with commas; the model's own unless given"
    )
    parser.add_argument(
        "--queries", type=int, help="use so many questions of each set, always the same ones"
    )
    parser.add_argument(
        "--no-titles", action="store_true", help="rank the texts without their titles"
    )
    parser.add_argument(
        "--lenient", action="store_true", help="let bad rows pass as sentence-transformers does"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every metric as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every metric as CSV")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the files."""
    from konayuki.evaluation.datasets import read_sets
    from konayuki.evaluation.records import RetrievalSet
    from konayuki.evaluation.report import Report, as_csv, as_json, as_table
    from konayuki.evaluation.run import evaluate_dense
    from konayuki.model import StaticModel

    dims = numbers(args.dims, "--dims")
    model = StaticModel.load(None if args.model == "bundled" else args.model)
    names = [name for name in args.sets.split(",") if name]
    scores = []
    for one in read_sets(args.data, only=names, strict=False if args.lenient else None):
        for note in one.notes:
            print(f"{one.name}: {note}", file=sys.stderr)
        if args.queries is not None and isinstance(one, RetrievalSet):
            one = one.sample(args.queries)
        scores += evaluate_dense(model, one, dims, titles=not args.no_titles, show_progress=True)
    report = Report(args.model, tuple(scores), titles=not args.no_titles)
    print(as_table(report), end="")
    for path, text in ((args.json, as_json), (args.csv, as_csv)):
        if path is not None:
            path.write_text(text(report), encoding="utf-8")
    return 0


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Return the whole numbers above 0 of a list with commas.

    Raises:
        InputError: something else stands in the list.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not (word.isdigit() and int(word) > 0):
            raise InputError(f"{option}: {word!r} is not a whole number above 0")
    return tuple(map(int, words))
