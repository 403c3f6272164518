"""`konayuki search`: answer questions from an index."""

import argparse
import json
import os
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.choices import MODES, SORTS
from konayuki.cli.options import is_index, number_of_hits, path_of
from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.search import FileHits, Hit

_JOINER = "\u200d"  # makes one emoji of several
_BOLD, _DIM, _MATCH, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[1;33m", "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("index", type=path_of, metavar="DIR", help="folder of the index")
    parser.add_argument(
        "query",
        nargs="*",
        metavar="QUERY",
        help='question or words, and "exact phrase", -word, tag:, path:, kind:, after:, before: '
        "(put it all in single quotes for the shell); - reads one query per line",
    )
    parser.add_argument(
        "--plain", action="store_true", help="take the query as text, whatever it holds"
    )
    parser.add_argument(
        "--like", metavar="ID", help="instead of a query: find what is like this passage"
    )
    parser.add_argument("-k", type=number_of_hits, default=10, metavar="N", help="number of hits")
    parser.add_argument(
        "--min-relevance",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="leave out hits that are less relevant, from 0 to 1",
    )
    parser.add_argument(
        "--per-document",
        type=int,
        metavar="N",
        help="show at most N passages of one document",
    )
    parser.add_argument(
        "--one-look",
        action="store_true",
        help="rank by cosine and words alone, without a second look at the best candidates",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="hybrid",
        help="search by words and meaning (hybrid), meaning (dense) or words (lexical)",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="metadata that a hit must have; a repeated key allows any of its values",
    )
    parser.add_argument(
        "--sort",
        choices=SORTS,
        default="score",
        help="order of the hits: by score, or the newest of all that match first",
    )
    parser.add_argument(
        "--by-file", action="store_true", help="show the best hit of each file, and how many follow"
    )
    parser.add_argument("--open", action="store_true", help="open the file of the first hit")


def run(args: argparse.Namespace) -> int:
    """Print the hits of every query."""
    from konayuki.ingest.opening import open_file
    from konayuki.ingest.places import file_of
    from konayuki.search import Index, Query
    from konayuki.search.files import GROUPED_HITS

    if bool(args.query) == bool(args.like):
        raise InputError("QUERY or --like ID: expected one of them")
    where = read_where(args.where) or None
    _check_order(args.index, args.query)
    model = None
    if args.model:
        from konayuki.model import StaticModel

        model = StaticModel.load(args.model)
    with Index.open(args.index, model) as index:
        if args.like:
            _show(args, args.like, "", _put_together(args, index.similar(args.like, args.k, where)))
        for typed in _queries(" ".join(args.query)):
            query = Query(typed) if args.plain else Query.parse(typed)
            hits = index.search(
                query,
                max(args.k, GROUPED_HITS) if args.by_file else args.k,
                args.mode,
                where,
                min_relevance=args.min_relevance,
                per_document=args.per_document,
                rerank=not args.one_look,
                sort=args.sort,
            )
            _show(args, typed, query.text, _put_together(args, hits))
            if args.open and hits:
                open_file(file_of(index, hits[0].metadata))
    return 0


def _check_order(index: Path, words: list[str]) -> None:
    """Refuse a query in the place of the index.

    Raises:
        InputError: `index` is not an index, but one of the words is.
    """
    folders = [word for word in words if is_index(Path(word))]
    if folders and not is_index(index):
        others = [word for word in (str(index), *words) if word != folders[0]]
        raise InputError(
            f"{index} is not an index, but {folders[0]} is: expected the index first\n"
            f"hint: konayuki search {shlex.join([folders[0], *others])}"
        )


def _put_together(args: argparse.Namespace, hits: "list[Hit]") -> "list[FileHits]":
    """Return the hits to show, each with others of its file if they are put together."""
    from konayuki.search import FileHits, by_file

    files = by_file(hits) if args.by_file else [FileHits(hit, []) for hit in hits]
    return files[: args.k]


def _show(args: argparse.Namespace, asked: str, text: str, files: "list[FileHits]") -> None:
    for line in _as_json(asked, files) if args.json else _as_text(asked, text, files):
        print(line)
    sys.stdout.flush()


def read_where(conditions: list[str]) -> dict[str, list[object]]:
    """Return a filter from KEY=VALUE conditions.

    A value that looks like a JSON number, true, false or null stands for both that and the text.

    Raises:
        InputError: A condition has no "=".
    """
    where: dict[str, list[object]] = {}
    for condition in conditions:
        key, sign, value = condition.partition("=")
        if not sign or not key:
            raise InputError(f"--where {condition!r}: expected KEY=VALUE")
        allowed = where.setdefault(key, [])
        allowed.append(value)
        try:
            scalar = json.loads(value, parse_constant=str)
        except (ValueError, RecursionError):
            continue
        if scalar is None or isinstance(scalar, bool | int | float):
            allowed.append(scalar)
    return where


def _queries(argument: str) -> Iterator[str]:
    if argument != "-":
        yield argument
        return
    for line in sys.stdin:
        if line.strip():
            yield line.strip()


def _as_json(asked: str, files: "list[FileHits]") -> Iterator[str]:
    from konayuki.search import place_of

    for rank, (hit, others) in enumerate(files, start=1):
        line = {"query": asked, "rank": rank, **asdict(hit), "place": place_of(hit)}
        yield json.dumps({**line, "more": len(others)}, ensure_ascii=False)


def _as_text(asked: str, text: str, files: "list[FileHits]") -> Iterator[str]:
    """Yield the lines of an answer for people."""
    from konayuki.search import place_of
    from konayuki.search.files import HOPELESS

    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if not files:
        yield f"no hits for {asked!r}"
    elif all(hit.relevance is not None and hit.relevance < HOPELESS for hit, _ in files):
        yield f"nothing is likely to answer {asked!r}; what is nearest:"
    for rank, (hit, others) in enumerate(files, start=1):
        heading = " > ".join(part for part in (hit.title, hit.heading) if part) or hit.id
        place = place_of(hit)
        tail = f"  {_paint(place, _DIM, coloured)}" if place != heading else ""
        yield f"{rank:2}. {_paint(heading, _BOLD, coloured)}{tail}"
        yield f"    {_marked(hit.text, text, coloured)}"
        if scores := _score_line(hit):
            yield f"    {_paint(scores, _DIM, coloured)}"
        if others:
            yield f"    {_paint(f'{len(others)} more in this file', _DIM, coloured)}"


def _score_line(hit: "Hit") -> str:
    from konayuki.search.dates import date_of

    if hit.lexical is None and hit.dense is None:  # nothing was asked to rank by
        return str(date_of(hit.metadata) or "")
    parts = [f"score {hit.score:.3f}"]
    if hit.relevance is not None:
        parts.insert(0, f"relevance {hit.relevance:.2f}")
    if hit.lexical is not None:
        parts.append(f"words {hit.lexical:.2f}")
    if hit.dense is not None:
        parts.append(f"meaning {hit.dense:.3f}")
    return ", ".join(parts)


def _marked(text: str, query: str, coloured: bool) -> str:
    """Return the most relevant part of the text on one line, its matches in colour."""
    from konayuki.search import snippet
    from konayuki.search.prepared import unwrapped

    part = snippet(" ".join(unwrapped(text).split()), query)
    marked, end = [], 0
    for start, stop in part.spans:
        marked += [clean(part.text[end:start]), _paint(part.text[start:stop], _MATCH, coloured)]
        end = stop
    return "".join([*marked, clean(part.text[end:])])


def _paint(text: str, colour: str, coloured: bool) -> str:
    return f"{colour}{clean(text)}{_PLAIN}" if coloured else clean(text)


def clean(text: str) -> str:
    """Return a line without control characters: a document must not control the terminal."""
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    """Return what to print for a character: a space for line breaks, "" for control characters."""
    if character.isprintable() or character == _JOINER or unicodedata.category(character) == "Zs":
        return character
    return " " if character.isspace() else ""
