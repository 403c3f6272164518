"""`konayuki search`: answer questions from an index."""

import argparse
import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.search import Hit

_JOINER = "\u200d"  # makes one emoji of several
_BOLD, _DIM, _MATCH, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[1;33m", "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument("index", type=Path, metavar="DIR", help="folder of the index")
    parser.add_argument("query", metavar="QUERY", help="question or words; - reads one per line")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="number of hits")
    parser.add_argument(
        "--mode",
        choices=("hybrid", "dense", "lexical"),
        default="hybrid",
        help="words and meaning together, or one of them alone",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="metadata that a hit must have; repeat a key for any of several values",
    )
    parser.add_argument("--model", help="model folder or hub id (default: the bundled model)")
    parser.add_argument("--json", action="store_true", help="write one JSON object per hit")


def run(args: argparse.Namespace) -> int:
    """Print the hits of every query."""
    from konayuki.search import Index

    where = read_where(args.where)
    model = None
    if args.model:
        from konayuki.model import StaticModel

        model = StaticModel.load(args.model)
    with Index.open(args.index, model) as index:
        for query in _queries(args.query):
            hits = index.search(query, args.k, args.mode, where or None)
            for line in _as_json(query, hits) if args.json else _as_text(query, hits):
                print(line)
            sys.stdout.flush()
    return 0


def read_where(conditions: list[str]) -> dict[str, list[object]]:
    """Return a filter from KEY=VALUE conditions.

    A value that reads as a JSON number, true, false or null is taken both as that and as text.

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
        place = " > ".join(part for part in (hit.title, hit.heading) if part) or hit.id
        path = str(hit.metadata.get("path", hit.document))
        yield f"{rank:2}. {_paint(place, _BOLD, coloured)}  {_paint(path, _DIM, coloured)}"
        yield f"    {_marked(hit.text, query, coloured)}"
        yield f"    {_paint(_parts(hit), _DIM, coloured)}"


def _parts(hit: "Hit") -> str:
    parts = [f"score {hit.score:.3f}"]
    if hit.lexical is not None:
        parts.append(f"words {hit.lexical:.2f}")
    if hit.dense is not None:
        parts.append(f"meaning {hit.dense:.3f}")
    return ", ".join(parts)


def _marked(text: str, query: str, coloured: bool) -> str:
    """Return the part of the text that answers, on one line, its matches in colour."""
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
    """Drop control characters: a document must not steer the terminal."""
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    """Return what a character is shown as: line breaks as spaces, steering ones not at all."""
    if character.isprintable() or character == _JOINER or unicodedata.category(character) == "Zs":
        return character
    return " " if character.isspace() else ""
