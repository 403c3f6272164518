"""What `documents.db` notes besides documents: the files that were indexed, and notes by name."""

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from konayuki.search.database import LATER_TABLES

_NOTE = "note:"  # before the names of notes among the settings
_BEHIND_DIGEST = "\n"  # before the stamp, in one column with the digest


class Source(NamedTuple):
    """A file that was indexed.

    Attributes:
        digest: Of its content and of how it was read.
        place: Its absolute path, whatever folder it was named from; "" if that was not noted.
        stamp: What the system said of it when it was read, such as size and time of its last
            change; "" if that would not tell whether it has changed since.

    Examples:
        >>> Source(digest="9f86d081", place="/home/me/a.md").digest
        '9f86d081'
    """

    digest: str
    place: str = ""
    stamp: str = ""


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a database has a table."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def read_sources(connection: sqlite3.Connection) -> dict[str, Source]:
    """Return every file that was indexed, by the path that it was named with."""
    noted = dict(connection.execute("SELECT path, digest FROM sources"))
    places: dict[str, str] = {}
    if has_table(connection, "places"):
        places = dict(connection.execute("SELECT path, place FROM places"))
    sources = {}
    for path, text in noted.items():
        digest, _, stamp = str(text).partition(_BEHIND_DIGEST)
        sources[path] = Source(digest, places.get(path, ""), stamp)
    return sources


def write_sources(connection: sqlite3.Connection, sources: Mapping[str, Source | None]) -> None:
    """Note files; None forgets one."""
    if sources:
        connection.execute(LATER_TABLES[0])
    for path, source in sources.items():
        if source is None:
            connection.execute("DELETE FROM sources WHERE path = ?", (path,))
            connection.execute("DELETE FROM places WHERE path = ?", (path,))
        else:
            text = source.digest + (_BEHIND_DIGEST + source.stamp if source.stamp else "")
            connection.execute("REPLACE INTO sources VALUES (?, ?)", (path, text))
            connection.execute("REPLACE INTO places VALUES (?, ?)", (path, source.place))


def read_note(connection: sqlite3.Connection, name: str) -> Any:  # noqa: ANN401 - SQLite has any
    """Return the note of a name, "" if there is none."""
    query = "SELECT value FROM settings WHERE name = ?"
    line = connection.execute(query, (f"{_NOTE}{name}",)).fetchone()
    return line[0] if line else ""


def write_note(connection: sqlite3.Connection, name: str, text: str) -> None:
    """Store a note; there is one of each name."""
    connection.execute("REPLACE INTO settings VALUES (?, ?)", (f"{_NOTE}{name}", text))
