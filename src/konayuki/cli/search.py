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

from konayuki.choices import MODES
from konayuki.cli.options import is_index, number_of_hits, path_of
from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.search import Hit

_JOINER = "\u200d"  # makes one emoji of several
_BOLD, _DIM, _MATCH, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[1;33m", "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("index", type=path_of, metavar="DIR", help="folder of the index")
    parser.add_argument(
        "query",
        nargs="+",
        metavar="QUERY",
        help="question or words, with or without quotation marks; - reads one query per line",
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


def run(args: argparse.Namespace) -> int:
    """Print the hits of every query."""
    from konayuki.search import Index

    where = read_where(args.where)
    _check_order(args.index, args.query)
    model = None
    if args.model:
        from konayuki.model import StaticModel

        model = StaticModel.load(args.model)
    with Index.open(args.index, model) as index:
        for query in _queries(" ".join(args.query)):
            hits = index.search(
                query,
                args.k,
                args.mode,
                where or None,
                min_relevance=args.min_relevance,
                rerank=not args.one_look,
            )
            for line in _as_json(query, hits) if args.json else _as_text(query, hits):
                print(line)
            sys.stdout.flush()
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


def _as_json(query: str, hits: "list[Hit]") -> Iterator[str]:
    for rank, hit in enumerate(hits, start=1):
        yield json.dumps({"query": query, "rank": rank, **asdict(hit)}, ensure_ascii=False)


def _as_text(query: str, hits: "list[Hit]") -> Iterator[str]:
    """Yield the lines of an answer for people."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if not hits:
        yield f"no hits for {query!r}"
    for rank, hit in enumerate(hits, start=1):
        heading = " > ".join(part for part in (hit.title, hit.heading) if part) or hit.id
        path = str(hit.metadata.get("path", hit.document))
        yield f"{rank:2}. {_paint(heading, _BOLD, coloured)}  {_paint(path, _DIM, coloured)}"
        yield f"    {_marked(hit.text, query, coloured)}"
        yield f"    {_paint(_score_line(hit), _DIM, coloured)}"


def _score_line(hit: "Hit") -> str:
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
        marked += [_clean(part.text[end:start]), _paint(part.text[start:stop], _MATCH, coloured)]
        end = stop
    return "".join([*marked, _clean(part.text[end:])])


def _paint(text: str, colour: str, coloured: bool) -> str:
    return f"{colour}{_clean(text)}{_PLAIN}" if coloured else _clean(text)


def _clean(text: str) -> str:
    """Drop control characters: a document must not control the terminal."""
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    """Return what to print for a character: a space for line breaks, "" for control characters."""
    if character.isprintable() or character == _JOINER or unicodedata.category(character) == "Zs":
        return character
    return " " if character.isspace() else ""
