"""The file and the passages that people ask for."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from konayuki.errors import InputError, NotFoundError
from konayuki.search.document import Document
from konayuki.search.index import Index

_NUMBERS = ("line", "page", "slide", "row")  # what a passage may be counted by
_WITH_NUMBER = re.compile(r"(.+):([1-9][0-9]{0,8})")
_MOST_SHOWN = 5


def passages_at(index: Index, where: str, n_neighbours: int = 1) -> list[Document]:
    """Return the passage that somebody asks for and those next to it, in their order.

    Args:
        index: The index.
        where: The id of a passage, or of the document that it was cut from; or the path of a file
            (its end is enough), which gives all of its passages; or a path, a colon and a line,
            page, slide or row.
        n_neighbours: Passages on either side.

    Raises:
        NotFoundError: There is nothing of that name.
        InputError: Several files have a path with this end.
    """
    if (document := index.get(where)) is not None:
        return _around(index, document, n_neighbours)
    if name := _file(index, where):
        return _passages(index, name)
    if (document := index.get(f"{where}#0")) is not None:
        return _around(index, document, n_neighbours)
    numbered = _WITH_NUMBER.fullmatch(where)
    if numbered and (name := _file(index, numbered[1])):
        documents = _passages(index, name)
        number = int(numbered[2])
        before = [d for d in documents if _number(d) <= number]
        return _around(index, (before or documents)[-1 if before else 0], n_neighbours)
    raise NotFoundError(
        f"{where!r} is not in the index: expected the id of a passage, the path of a file, or "
        "PATH:LINE"
    )


def file_of(index: Index, metadata: Mapping[str, Any]) -> Path:
    """Return the file that a passage comes from.

    Raises:
        NotFoundError: It comes from none, or it does not exist any more.
    """
    name = metadata.get("path")
    source = index.sources().get(name) if isinstance(name, str) else None
    if source is None:
        raise NotFoundError("the passage comes from no file: expected one that was indexed")
    path = Path(source.place or str(name))
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist any more: expected the file that was indexed")
    return path


def _file(index: Index, path: str) -> str:
    """Return the name that the index has for a file, "" for an unknown one.

    Raises:
        InputError: Several files fit.
    """
    sources = index.sources()
    if path in sources:
        return path
    try:
        place = Path(path).resolve().as_posix()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte, half a character
        return ""
    names = [name for name, source in sources.items() if source.place == place]
    names = names or [name for name in sources if f"/{name}".endswith(f"/{path}")]
    if len(names) > 1:
        shown = ", ".join(names[:_MOST_SHOWN])
        raise InputError(f"{path!r} fits {len(names)} files: {shown}: expected one of them")
    return names[0] if names else ""


def _passages(index: Index, name: str) -> list[Document]:
    documents = [index.get(key) for key in index.ids({"path": name})]
    return sorted(filter(None, documents), key=lambda d: (_number(d), d.position, d.id))


def _around(index: Index, document: Document, n: int) -> list[Document]:
    """Return a passage and its neighbours in the document, or of a row the rows next to it."""
    if document.chunk_of:
        first, last = max(0, document.position - n), document.position + n
        near = [index.get(f"{document.chunk_of}#{p}") for p in range(first, last + 1)]
        return [passage for passage in near if passage is not None] or [document]
    line, path = document.metadata.get("line"), document.metadata.get("path")
    if not isinstance(line, int) or not isinstance(path, str) or n == 0:
        return [document]
    rows = index.ids({"path": path, "line": list(range(line - n, line + n + 1))})
    return sorted(filter(None, map(index.get, rows)), key=_number)


def _number(document: Document) -> int:
    numbers: Sequence[object] = [document.metadata.get(key) for key in _NUMBERS]
    return next((number for number in numbers if isinstance(number, int)), 0)
