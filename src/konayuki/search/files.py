"""Hits and the files that they come from: where a passage stands, and one hit for each file."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from konayuki.search.ranking import Hit

GROUPED_HITS = 100  # so many of the best are put together by file
HOPELESS = 0.01  # a hit of less relevance is hardly ever an answer


class FileHits(NamedTuple):
    """The hits of one file.

    Attributes:
        best: The first of them.
        others: The rest, in their order.

    Examples:
        >>> hits = index.search("いちばん高い山")
        >>> FileHits(hits[0], others=[]).best.id
        'fuji'
    """

    best: Hit
    others: list[Hit]


def by_file(hits: Sequence[Hit]) -> list[FileHits]:
    """Return hits put together by the file that they come from, in the order of the first ones.

    Hits whose metadata names no file are put together by their document. Behind the first one of
    a file, those of hardly any relevance are left out.

    Examples:
        >>> [len(file.others) for file in by_file(index.search("日本でいちばん", k=2))]
        [0, 0]
    """
    files: dict[str, FileHits] = {}
    for hit in hits:
        key = str(hit.metadata.get("path", hit.document))
        if key in files:
            if hit.relevance is None or hit.relevance >= HOPELESS:
                files[key].others.append(hit)
        else:
            files[key] = FileHits(hit, [])
    return list(files.values())


def place_of(hit: Hit) -> str:
    """Return where a passage stands: "報告書.pdf p.12", "notes.md:40", or its document.

    Examples:
        >>> place_of(index.search("いちばん高い山")[0])
        'fuji'
    """
    return place_in_words(hit.metadata) or hit.document


def place_in_words(metadata: Mapping[str, Any]) -> str:
    """Return where a passage stands: "a.md:12", "a.pdf p.3", "a.xlsx 家計!7"; "" without a file."""
    path = metadata.get("path")
    if not isinstance(path, str):
        return ""
    if (page := metadata.get("page")) is not None:
        return f"{path} p.{page}"
    if (slide := metadata.get("slide")) is not None:
        return f"{path} slide {slide}"
    if (row := metadata.get("row")) is not None:
        return f"{path} {metadata.get('sheet', '')}!{row}"
    if (time := metadata.get("time")) is not None:
        return f"{path} {time}"
    if (line := metadata.get("line")) is not None:
        return f"{path}:{line}"
    return path
