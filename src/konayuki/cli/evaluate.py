"""`konayuki evaluate`: retrieval quality on BEIR-layout sets."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from konayuki.cli.options import path_of
from konayuki.errors import InputError
from konayuki.files import replace_file

if TYPE_CHECKING:
    from konayuki.evaluation import EvaluationSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model", help="model folder or hub id; 'bundled' is the bundled model")
    parser.add_argument(
        "--data", required=True, help="folder of a set or of several sets, or a hub id"
    )
    parser.add_argument(
        "--sets", default="", help="comma-separated names of sets (default: all of them)"
    )
    parser.add_argument(
        "--mode",
        default="dense",
        help="dense (compares all vectors), lexical or hybrid (through an index), comma-separated",
    )
    parser.add_argument(
        "--dims", default="", help="comma-separated dimensions (default: those of the model)"
    )
    parser.add_argument(
        "--bits",
        default="",
        help="comma-separated bits per weight, 1-8 or 32 (default: as stored)",
    )
    parser.add_argument(
        "--queries",
        metavar="N",
        help="queries per set, a fixed sample (default: all)",
    )
    parser.add_argument("--no-titles", action="store_true", help="leave out titles of passages")
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="treat bad rows as sentence-transformers does, instead of refusing them",
    )
    parser.add_argument("--json", type=path_of, metavar="FILE", help="write every metric as JSON")
    parser.add_argument("--csv", type=path_of, metavar="FILE", help="write every metric as CSV")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the files."""
    from konayuki.evaluation import Plan, Report, evaluate, read_sets
    from konayuki.evaluation.report import as_csv, as_json, as_table
    from konayuki.model import StaticModel

    plan = Plan(
        modes=words(args.mode),
        dims=numbers(args.dims, "--dims"),
        bits=numbers(args.bits, "--bits"),
        titles=not args.no_titles,
    )
    limit = numbers(args.queries, "--queries") if args.queries else ()
    model = StaticModel.load(None if args.model == "bundled" else args.model)
    strict = False if args.lenient else None
    sets = limited(read_sets(args.data, only=words(args.sets), strict=strict), limit)
    scores = evaluate(model, sets, plan, show_progress=True)
    report = Report(args.model, tuple(scores), titles=plan.titles)
    print(as_table(report), end="")
    for path, text in ((args.json, as_json), (args.csv, as_csv)):
        if path is not None:
            replace_file(path, text(report))
    return 0


def limited(sets: "Iterable[EvaluationSet]", limit: tuple[int, ...]) -> "Iterator[EvaluationSet]":
    """Yield the sets with at most `limit` queries; print what a lenient reader let pass."""
    from konayuki.evaluation import RetrievalSet

    for dataset in sets:
        for note in dataset.notes:
            print(f"{dataset.name}: {note}", file=sys.stderr)
        if limit and isinstance(dataset, RetrievalSet):
            dataset = dataset.sample(limit[0])
        yield dataset


def words(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Return the numbers of a comma-separated list.

    Raises:
        InputError: An entry is not a whole number above 0.
    """
    for word in words(text):
        if not (word.isdigit() and int(word) > 0):
            raise InputError(f"{option}: {word!r}: expected a whole number above 0")
    return tuple(map(int, words(text)))
