"""Hits and the files that they come from: where a passage stands, and one hit for each file."""

from collections.abc import Sequence
from typing import NamedTuple

from konayuki.search.ranking import Hit

GROUPED_HITS = 100  # so many of the best are put together by file
HOPELESS = 0.02  # a hit of less relevance is hardly ever an answer


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
    path = str(hit.metadata.get("path", hit.document))
    page, line = hit.metadata.get("page"), hit.metadata.get("line")
    if isinstance(page, int):
        return f"{path} p.{page}"
    return f"{path}:{line}" if isinstance(line, int) else path
