"""What a reader makes of a file: documents cut at their headings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any, TypeAlias

from konayuki.errors import DatasetError
from konayuki.rows import Row

# Every passage repeats its headings and its title, so a long one would cost its length each time.
MAX_HEADING = 200
_SHOWN_ERRORS = 3  # a file may have millions


@dataclass(frozen=True)
class Section:
    """Text under one heading.

    Attributes:
        headings: The headings above the text, outermost first.
        text: The text between this heading and the next.
        metadata: What its passages have as metadata, such as the number of a page.
    """

    headings: tuple[str, ...]
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outline:
    """A document cut at its headings.

    Attributes:
        title: The title that the document gives itself, or "".
        sections: Its parts in order.
        metadata: What all its passages have as metadata.
        key: Tells it from other documents of the same file; "" if the file is one document.
        readings: How words of the text are read, such as 電気代 and でんきだい.
    """

    title: str
    sections: tuple[Section, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    readings: tuple[tuple[str, str], ...] = ()


@dataclass
class BadRows:
    """Rows of a file that cannot be used; the others go on after them.

    Attributes:
        number: How many.
        first: Why, of the first three.
    """

    number: int = 0
    first: list[DatasetError] = field(default_factory=list)

    def add(self, error: DatasetError) -> None:
        """Count one more."""
        self.number += 1
        if len(self.first) < _SHOWN_ERRORS:
            self.first.append(error)

    def join(self, others: "BadRows") -> None:
        """Count others as well."""
        self.number += others.number
        self.first = [*self.first, *others.first][:_SHOWN_ERRORS]


Item: TypeAlias = Outline | Row | BadRows
Reader: TypeAlias = Callable[[bytes, str], Iterable[Item]]
Part: TypeAlias = tuple[int, str, str]


def outline(
    parts: Iterable[Part],
    title: str = "",
    metadata: Mapping[str, Any] | None = None,
    readings: Iterable[tuple[str, str]] = (),
    *,
    anchors: Iterable[str] = (),
) -> Outline:
    """Return an outline from (level, heading, text) parts; level 0 is text before any heading.

    The first heading of level 1 is the title if there is no other; headings do not repeat the
    title. A heading of more than `MAX_HEADING` characters is cut, and its text then holds it whole.
    Anchors, one a part or none at all, become the metadata `anchor` of their sections, but for
    those that are longer than that.
    """
    path: list[tuple[int, str]] = []
    sections = []
    title = shortened(title)
    for (level, heading, text), anchor in zip(parts, chain(anchors, repeat("")), strict=False):
        if len(heading) > MAX_HEADING:
            heading, text = shortened(heading), f"{heading}\n\n{text}"
        path = [entry for entry in path if entry[0] < level]
        if level == 1 and not title:
            title = heading
        if level and heading and not (level == 1 and heading == title):
            path.append((level, heading))
        if text.strip():
            names = tuple(name for _, name in path)
            own = {"anchor": anchor} if 0 < len(anchor) <= MAX_HEADING else {}
            sections.append(Section(names, text.strip("\n"), own))
    return Outline(title, tuple(sections), metadata or {}, readings=tuple(readings))


def shortened(heading: str) -> str:
    """Return a heading of at most `MAX_HEADING` characters."""
    return heading if len(heading) <= MAX_HEADING else heading[: MAX_HEADING - 1] + "…"
