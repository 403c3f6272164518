"""reStructuredText into a document cut at its headings."""

import re
from collections.abc import Iterator

from konayuki.ingest.outline import Item, Part, outline
from konayuki.text import decode

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*")
_SHORTEST = 3  # "::" and ".." stand for other things


def read_rst(content: bytes, name: str) -> list[Item]:
    """Return the one document of a reStructuredText file."""
    text = decode(content, name).replace("\r\n", "\n").replace("\r", "\n")
    return [outline(_parts(text.split("\n")))]


def _parts(lines: list[str]) -> Iterator[Part]:
    levels: dict[str, int] = {}  # by style: the one that comes first is that of level 1
    level, heading, start, place = 0, "", 0, 0
    while place < len(lines):
        style, n_lines = _heading(lines, place)
        if not style:
            place += 1
            continue
        yield level, heading, "\n".join(lines[start:place])
        level = levels.setdefault(style, len(levels) + 1)
        heading = lines[place + (n_lines == 3)].strip()
        start = place = place + n_lines
    yield level, heading, "\n".join(lines[start:])


def _heading(lines: list[str], place: int) -> tuple[str, int]:
    """Return the style of the heading that starts at a line and its number of lines, or "" and 0.

    A heading follows an empty line and is underlined, or has a line above and below.
    """
    if (place and lines[place - 1].strip()) or not lines[place].strip():
        return "", 0
    following = [*lines[place + 1 : place + 3], "", ""]
    over, under = _adornment(lines[place]), _adornment(following[0])
    if over and following[0].strip() and not under and _adornment(following[1]) == over:
        return f"{over}{over}", 3
    if under and not over and not lines[place][0].isspace():
        return under, 2
    return "", 0


def _adornment(line: str) -> str:
    """Return the character that a line repeats, or "" for a line of another kind."""
    return line[0] if len(line.rstrip()) >= _SHORTEST and _ADORNMENT.fullmatch(line) else ""
