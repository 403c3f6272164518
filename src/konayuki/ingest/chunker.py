"""Documents into passages of about one size, cut where sentences end."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from konayuki.errors import InputError
from konayuki.ingest.outline import Section
from konayuki.text import sentence_ends

_SOLID = re.compile(r"\S")


@dataclass(frozen=True)
class Chunk:
    """A passage of a document.

    Attributes:
        text: The passage, as it stands in the document.
        heading: The headings above it, joined by " > ".
        position: Its place among the passages of the document, from 0.
        metadata: That of its section.
    """

    text: str
    heading: str
    position: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Cutting:
    """How documents are cut into passages.

    Attributes:
        size: Characters that a passage should not exceed.
        overlap: Characters at the end of a passage that the next one repeats, rounded down to
            whole sentences.

    Raises:
        InputError: `size` is not positive, or `overlap` is not below it.

    Examples:
        >>> from konayuki.ingest import read_records
        >>> _ = Path("a.txt").write_text("雪が降る。" * 10, encoding="utf-8")
        >>> [len(record["text"]) for record in read_records(Path("a.txt"), Cutting(size=20))]
        [20, 20, 10]
    """

    size: int = 400
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.overlap < self.size:
            raise InputError(
                f"passages of {self.size} characters with an overlap of {self.overlap}: expected "
                "a positive size and an overlap below it"
            )


DEFAULT_CUTTING = Cutting()


def chunk(sections: Iterable[Section], cutting: Cutting = DEFAULT_CUTTING) -> list[Chunk]:
    """Return the passages of a document.

    A passage never crosses a heading and holds whole sentences as long as one fits. Takes time
    linear in the length of the text, whatever it holds.

    Args:
        sections: The parts of the document.
        cutting: How large the passages are.
    """
    chunks: list[Chunk] = []
    for section in sections:
        heading = " > ".join(section.headings)
        for text in _passages(section.text, cutting.size, cutting.overlap):
            chunks.append(Chunk(text, heading, len(chunks), section.metadata))
    return chunks


class _Unit(NamedTuple):
    """A sentence, or a piece of a long one; between `first` and `last` without outer space."""

    start: int
    end: int
    first: int  # == last if it is blank
    last: int


def _passages(text: str, size: int, overlap: int) -> Iterator[str]:
    """Yield slices of the text of at most `size` characters."""
    units: list[_Unit] = []  # of the current passage
    first = last = -1  # of the current passage without the space around it
    for unit in _units(text, size):
        solid = unit.first < unit.last
        if units and first >= 0 and solid and unit.last - first > size:
            yield text[first:last]
            room = min(overlap, size - (unit.end - unit.start))
            end = units[-1].end
            units = [earlier for earlier in units if end - earlier.start <= room]
            first = next((u.first for u in units if u.first < u.last), -1)
        units.append(unit)
        if solid:
            first, last = (unit.first if first < 0 else first), unit.last
    if first >= 0:
        yield text[first:last]


def _units(text: str, size: int) -> Iterator[_Unit]:
    """Yield sentences; longer ones than `size` in pieces."""
    start = 0
    for end in sentence_ends(text):
        _, _, first, last = _unit(text, start, end)
        # Offsets, not copies of the rest: a log of 4 MB may be one sentence.
        while last - first > size:
            cut = _cut(text, start, size)
            yield _unit(text, start, cut)
            start = cut
            if first < start:
                first = _solid(text, start, last)
        if start < end:
            yield _unit(text, start, end)
        start = end


def _unit(text: str, start: int, end: int) -> _Unit:
    last = start + len(text[start:end].rstrip())
    return _Unit(start, end, _solid(text, start, last), last)


def _solid(text: str, start: int, end: int) -> int:
    """Return the offset of the first character in text[start:end] that is not white space."""
    match = _SOLID.search(text, start, end)
    return match.start() if match else end


def _cut(text: str, start: int, size: int) -> int:
    """Return where to cut a sentence that is too long: a line, a comma, a space, or anywhere."""
    window = text[start : start + size]
    for marks in ("\n", "、，,;；：", " \u3000\t"):
        place = max(window.rfind(mark) for mark in marks)
        if place >= size // 2:
            return start + place + 1
    return start + size
