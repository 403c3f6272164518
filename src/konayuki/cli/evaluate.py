"""`konayuki evaluate`: retrieval quality on BEIR-layout sets."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.evaluation import EvaluationSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model", help="model folder or hub id; 'bundled' is the one in the package")
    parser.add_argument(
        "--data", required=True, help="folder with a set or with folders of sets, or a hub id"
    )
    parser.add_argument("--sets", default="", help="names of the sets wanted, with commas")
    parser.add_argument(
        "--mode",
        default="dense",
        help="dense (all vectors compared), lexical or hybrid (through an index), with commas",
    )
    parser.add_argument("--dims", default="", help="dimensions, with commas; else the model's own")
    parser.add_argument(
        "--bits", default="", help="bits of a weight (1-8, 32), with commas; else as stored"
    )
    parser.add_argument("--queries", help="ask so many questions of each set, always the same ones")
    parser.add_argument("--no-titles", action="store_true", help="leave titles of passages out")
    parser.add_argument(
        "--lenient", action="store_true", help="let bad rows pass as sentence-transformers does"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every metric as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every metric as CSV")


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
    sets = prepared(read_sets(args.data, only=words(args.sets), strict=strict), limit)
    scores = evaluate(model, sets, plan, show_progress=True)
    report = Report(args.model, tuple(scores), titles=plan.titles)
    print(as_table(report), end="")
    for path, text in ((args.json, as_json), (args.csv, as_csv)):
        if path is not None:
            path.write_text(text(report), encoding="utf-8")
    return 0


def prepared(sets: "Iterable[EvaluationSet]", limit: tuple[int, ...]) -> "Iterator[EvaluationSet]":
    """Yield the sets with as many questions as wanted; say what a lenient reader let pass."""
    from konayuki.evaluation import RetrievalSet

    for one in sets:
        for note in one.notes:
            print(f"{one.name}: {note}", file=sys.stderr)
        yield one.sample(limit[0]) if limit and isinstance(one, RetrievalSet) else one


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Return the whole numbers above 0 of a list with commas.

    Raises:
        InputError: something else stands in the list.
    """
    for word in words(text):
        if not (word.isdigit() and int(word) > 0):
            raise InputError(f"{option}: {word!r} is not a whole number above 0")
    return tuple(map(int, words(text)))
