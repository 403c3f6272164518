"""Documents into passages of about one size, cut where sentences end."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from konayuki.errors import InputError
from konayuki.text import sentence_ends

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$|(?<!.) {0,3}(#{1,6})$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*\n", re.DOTALL | re.MULTILINE)
_TITLE_LINE = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """Text under one heading.

    Attributes:
        headings: The headings above the text, outermost first.
        text: What stands between this heading and the next.
    """

    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Chunk:
    """A passage of a document.

    Attributes:
        text: The passage, as it stands in the document.
        heading: The headings above it, joined by " > ".
        position: Its place among the passages of the document, from 0.
    """

    text: str
    heading: str
    position: int


@dataclass(frozen=True)
class Outline:
    """A document cut at its headings.

    Attributes:
        title: The title that the document gives itself, or "".
        sections: Its parts in order.
    """

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Cutting:
    """How documents are cut into passages.

    Attributes:
        size: Characters that a passage should not exceed.
        overlap: Characters at the end of a passage that the next one repeats, rounded down to
            whole sentences.

    Raises:
        InputError: `size` is not positive, or `overlap` is not below it.
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

    A passage never crosses a heading and holds whole sentences as long as one fits.

    Args:
        sections: The parts of the document.
        cutting: How large the passages are.
    """
    chunks: list[Chunk] = []
    for section in sections:
        heading = " > ".join(section.headings)
        for text in _passages(section.text, cutting.size, cutting.overlap):
            chunks.append(Chunk(text, heading, len(chunks)))
    return chunks


def markdown_outline(text: str) -> Outline:
    """Return the title and the sections of a Markdown text.

    The title comes from the front matter, else from the first heading of level 1, which then is
    not repeated in the headings of the sections. Headings inside fenced code are code.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title = ""
    if front := _FRONT_MATTER.match(text):
        found = _TITLE_LINE.search(front[1])
        title = found[2] if found else ""
        text = text[front.end() :]
    return outline(_markdown_parts(text), title)


def outline(parts: Iterable[tuple[int, str, str]], title: str = "") -> Outline:
    """Return an outline from (level, heading, text) parts; level 0 is text before any heading."""
    path: list[tuple[int, str]] = []
    sections = []
    for level, heading, text in parts:
        path = [entry for entry in path if entry[0] < level]
        if level == 1 and not title:
            title = heading
        if level and not (level == 1 and heading == title):
            path.append((level, heading))
        if text.strip():
            sections.append(Section(tuple(name for _, name in path), text.strip("\n")))
    return Outline(title, tuple(sections))


def _markdown_parts(text: str) -> Iterator[tuple[int, str, str]]:
    level, heading = 0, ""
    body: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif found := _HEADING.match(line):
            yield level, heading, "\n".join(body)
            level, heading, body = len(found[1] or found[3]), found[2] or "", []
            continue
        elif body and (under := _UNDERLINE.match(line)) and _is_paragraph(body):
            title = body.pop()
            yield level, heading, "\n".join(body)
            level, heading, body = 1 if under[1][0] == "=" else 2, title.strip(), []
            continue
        body.append(line)
    yield level, heading, "\n".join(body)


def _is_paragraph(body: list[str]) -> bool:
    """Whether the last line can be a heading that is underlined: one line of plain words."""
    alone = len(body) == 1 or not body[-2].strip()
    return alone and bool(re.match(r"[^\s\-*+>|#`]", body[-1]))


def _passages(text: str, size: int, overlap: int) -> Iterator[str]:
    """Yield slices of the text of at most `size` characters."""
    start = end = 0
    starts: list[int] = []  # of the units in the current passage
    for unit_start, unit_end in _units(text, size):
        if end > start and len(text[start:unit_end].strip()) > size:
            yield text[start:end].strip()
            room = min(overlap, size - (unit_end - unit_start))
            start = min((place for place in starts if end - place <= room), default=unit_start)
            starts = [place for place in starts if place >= start]
        starts.append(unit_start)
        end = unit_end
    if text[start:end].strip():
        yield text[start:end].strip()


def _units(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of sentences; longer ones than `size` in pieces."""
    start = 0
    for end in sentence_ends(text):
        while len(text[start:end].strip()) > size:
            cut = _cut(text, start, size)
            yield start, cut
            start = cut
        if start < end:
            yield start, end
        start = end


def _cut(text: str, start: int, size: int) -> int:
    """Return where to cut a sentence that is too long: a line, a comma, a space, or anywhere."""
    window = text[start : start + size]
    for marks in ("\n", "、，,;；：", " \u3000\t"):
        place = max(window.rfind(mark) for mark in marks)
        if place >= size // 2:
            return start + place + 1
    return start + size
