"""Rows of an index by what their documents say of themselves: metadata, texts, their file."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from konayuki.arrays import IntVector
from konayuki.search.document import read_fact, stored_text
from konayuki.search.documents import Documents

_VARIABLES = 500  # values in one IN (…): far below the limit of every SQLite in use

Parts = tuple[str, ...]


def values_by_row(documents: Documents, key: str) -> Iterator[tuple[Any, list[int]]]:
    """Yield each scalar that documents have under a metadata key, and their rows, dead ones too."""
    query = "SELECT value, row FROM facts WHERE key = ?"  # in the order of the primary key
    with documents.reading() as connection:
        lines = connection.execute(query, (key,))
        for value, group in groupby(lines, key=lambda line: line[0]):
            yield read_fact(value, documents.path), [row for _, row in group]


def rows_where(
    documents: Documents, keys: Iterable[str], accepts: Callable[[str], bool]
) -> IntVector:
    """Return the rows that have an accepted text under one of the keys: int64 (n,), ascending."""
    rows: list[int] = []
    for key in keys:
        for value, holders in values_by_row(documents, key):
            if accepts(value if isinstance(value, str) else json.dumps(value)):
                rows += holders
    return np.unique(np.asarray(rows, dtype=np.int64))


def count_values(documents: Documents, keys: Iterable[str]) -> Counter[str]:
    """Return the texts that living documents have under the keys, and how many have each."""
    query = (
        "SELECT value, count(*) FROM facts JOIN documents USING (row)"
        " WHERE key = ? AND died IS NULL GROUP BY value"
    )
    counts: Counter[str] = Counter()
    with documents.reading() as connection:
        for key in keys:
            for value, number in connection.execute(query, (key,)):
                if isinstance(text := read_fact(value, documents.path), str):
                    counts[text] += number
    return counts


def parts_of(documents: Documents, rows: Sequence[int]) -> Iterator[tuple[int, Parts]]:
    """Yield title, heading and text of these rows; what was erased meanwhile is left out."""
    for start in range(0, len(rows), _VARIABLES):
        part = rows[start : start + _VARIABLES]
        query = (
            "SELECT row, title, heading, text FROM documents"  # noqa: S608 - question marks only
            f" WHERE row IN ({','.join('?' * len(part))}) AND id != ''"
        )
        with documents.reading() as connection:
            lines = connection.execute(query, part).fetchall()
        for row, title, heading, text in lines:
            parts = (stored_text(part, documents.path) for part in (title, heading, text))
            yield row, tuple(parts)


def rows_of_document(documents: Documents, key: str) -> IntVector:
    """Return the rows of a document and of the passages cut from it: int64 (n,), ascending."""
    query = "SELECT row FROM documents WHERE (id = ? OR chunk_of = ?) AND died IS NULL"
    with documents.reading() as connection:
        rows = [row for (row,) in connection.execute(query, (key, key))]
    return np.unique(np.asarray(rows, dtype=np.int64))
