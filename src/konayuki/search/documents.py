"""The truth of an index: one SQLite file, every write one transaction and one generation."""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from konayuki.errors import IndexFormatError, IndexLockedError
from konayuki.search.database import LATER_TABLES, Database, create_database
from konayuki.search.document import Document, facts_of, flattened, is_deep, read_fact
from konayuki.search.notes import (
    Source,
    has_table,
    read_note,
    read_sources,
    write_note,
    write_sources,
)

_COLUMNS = "row, id, text, title, metadata, chunk_of, heading, position"
_Value = TypeVar("_Value")
_VARIABLES = 500  # values in one IN (…): far below the limit of every SQLite in use
_COMMITS_KEPT = 10_000  # a part that is further behind is made again
_FORMAT_1_CLOCK = "SELECT generation, purged, 0, 0 FROM clock"
_CLOCK = """
SELECT generation, purged, (SELECT value FROM settings WHERE name = 'erased'),
    (SELECT id FROM commits WHERE commits.generation = clock.generation)
FROM clock
"""

Filter = Sequence[tuple[str, Sequence[str]]]


class Row(NamedTuple):
    """A document as the derived parts take it in."""

    row: int
    document: Document
    vector: bytes
    died: int | None


class Clock(NamedTuple):
    """The state of the documents.

    Attributes:
        generation: The number of the last write.
        purged: The generation up to which the rows of the dead were removed.
        erased: The generation up to which the content of the dead was removed.
        commit: The random number of the last write; 0 in an index of format 1.
    """

    generation: int
    purged: int
    erased: int
    commit: int


@dataclass(frozen=True)
class Change:
    """One write: what goes, what comes, which files are noted.

    Attributes:
        documents: Documents with different ids; each replaces an existing one with its id.
        vectors: The int8 vector of each, as bytes.
        ids: Keys of documents that go.
        chunks: The passages cut from documents with these keys go, too.
        filter: The documents that match it go; None for none of them.
        sources: Files to note, by name; None forgets one.
    """

    documents: Sequence[Document] = ()
    vectors: Sequence[bytes] = ()
    ids: Sequence[str] = ()
    chunks: bool = False
    filter: Filter | None = None
    sources: Mapping[str, Source | None] = field(default_factory=dict)


class Written(NamedTuple):
    """What a write did.

    Attributes:
        clock: The state after it.
        rows: The row of each document.
        n_removed: Documents that went and did not come back under the same id.
    """

    clock: Clock
    rows: list[int]
    n_removed: int


class Documents:
    """Documents by id, with a row number that no other version of a document ever gets.

    A row is never changed: an upsert ends the life of the old row and adds a new one. Rows that
    died stay until `purge`, so a search on an earlier generation still finds its texts.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._database = Database(path, read_only=read_only)
        self._has_commits: bool | None = None

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str], mode: int = 0o600) -> "Documents":
        """Write an empty database with these settings."""
        create_database(path, mode)
        documents = cls(path)
        with documents._database.writing() as connection:
            connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
            connection.execute("INSERT INTO commits VALUES (0, ?)", (_new_commit(),))
        return documents

    def upgrade(self, settings: Mapping[str, str]) -> None:
        """Give an index of format 1 what it lacks, and any index these settings."""
        with self._database.writing() as connection:
            for statement in LATER_TABLES:
                connection.execute(statement)
            connection.executemany("REPLACE INTO settings VALUES (?, ?)", settings.items())
            connection.execute(
                "INSERT OR IGNORE INTO commits SELECT generation, ? FROM clock", (_new_commit(),)
            )
        self._has_commits = True

    def settings(self) -> dict[str, str]:
        """Return what was fixed when the index was made."""
        with self._database.reading() as connection:
            return {
                _typed(name, str, self.path): _typed(value, str, self.path)
                for name, value in connection.execute("SELECT name, value FROM settings")
            }

    def clock(self) -> Clock:
        """Return the newest committed state."""
        with self._database.reading() as connection:
            return self._clock(connection)

    def holds(self, generation: int, commit: int) -> bool:
        """Return whether a commit belongs to the history of these documents."""
        with self._database.reading() as connection:
            if not self._knows_commits(connection):
                return commit == 0
            query = "SELECT id FROM commits WHERE generation = ?"
            line = connection.execute(query, (generation,)).fetchone()
            return line is not None and line[0] == commit

    def write(self, change: Change, after: int) -> Written:
        """Store a change: one transaction and, if searches can see it, the next generation.

        Args:
            change: What to do.
            after: The commit that the caller knows as the last one.

        Raises:
            IndexLockedError: Another process has written since.
        """
        with self._database.writing() as connection:
            clock = self._clock(connection)
            if clock.commit != after:
                raise IndexLockedError(
                    f"{self.path}: another process has written to this index: expected no other "
                    "writer\nhint: writer.lock must not be removed while a writer is at work"
                )
            write_sources(connection, change.sources)
            if not (change.documents or change.ids or change.filter is not None):
                return Written(clock, [], 0)
            clock = clock._replace(generation=clock.generation + 1, commit=_new_commit())
            connection.execute("UPDATE clock SET generation = ?", (clock.generation,))
            connection.execute(
                "INSERT INTO commits VALUES (?, ?)", (clock.generation, clock.commit)
            )
            oldest = clock.generation - _COMMITS_KEPT
            connection.execute("DELETE FROM commits WHERE generation <= ?", (oldest,))
            n_removed = _remove(connection, change, clock.generation)
            rows = _insert(connection, change, clock.generation)
        return Written(clock, rows, n_removed)

    def purge(self, generation: int) -> None:
        """Remove the rows that died up to a generation which every derived part has reached."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM facts WHERE row IN (SELECT row FROM documents WHERE died <= ?)",
                (generation,),
            )
            connection.execute("DELETE FROM documents WHERE died <= ?", (generation,))
            connection.execute("UPDATE clock SET purged = ?", (generation,))

    def erase(self) -> None:
        """Overwrite the content of the dead; their rows stay, without it, until `purge`."""
        with self._database.writing() as connection:
            query = "SELECT 1 FROM documents WHERE died IS NOT NULL AND id != '' LIMIT 1"
            if connection.execute(query).fetchone() is None:
                return
            connection.execute(
                "DELETE FROM facts WHERE row IN"
                " (SELECT row FROM documents WHERE died IS NOT NULL AND id != '')"
            )
            connection.execute(
                "UPDATE documents SET id = '', title = '', heading = '', text = '',"
                " metadata = '{}', chunk_of = NULL, vector = zeroblob(length(vector))"
                " WHERE died IS NOT NULL AND id != ''"
            )
            connection.execute(
                "REPLACE INTO settings SELECT 'erased', CAST(generation AS TEXT) FROM clock"
            )

    def __len__(self) -> int:
        """Return the number of living documents."""
        with self._database.reading() as connection:
            query = "SELECT count(*) FROM documents WHERE died IS NULL"
            return int(connection.execute(query).fetchone()[0])

    def get(self, identity: str) -> Document | None:
        """Return the living document with this id, or None."""
        query = f"SELECT {_COLUMNS} FROM documents WHERE id = ? AND died IS NULL"  # noqa: S608
        with self._database.reading() as connection:
            line = connection.execute(query, (identity,)).fetchone()
        return self._document(line) if line else None

    def by_row(self, rows: Sequence[int]) -> dict[int, Document]:
        """Return the documents of these rows; a row that was removed is left out."""
        lines = self._chosen(_COLUMNS, "row", rows, "id != ''")
        return {line[0]: self._document(line) for line in lines}

    def matching(self, conditions: Filter) -> list[int]:
        """Return the rows, dead ones included, whose metadata satisfies a filter; ascending."""
        with self._database.reading() as connection:
            return sorted(_matching(connection, conditions))

    def ids_of(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of those rows that live."""
        return [identity for (identity,) in self._chosen("id", "row", rows, "died IS NULL")]

    def metadata_of(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the metadata of the living documents among these."""
        lines = self._chosen("id, metadata", "id", ids, "died IS NULL")
        return {identity: self._metadata(text) for identity, text in lines}

    def values(self, key: str) -> list[Any]:
        """Return the different scalars that living documents have under a metadata key."""
        query = (
            "SELECT DISTINCT value FROM facts JOIN documents USING (row)"
            " WHERE key = ? AND died IS NULL ORDER BY value"
        )
        with self._database.reading() as connection:
            facts = [value for (value,) in connection.execute(query, (key,))]
        return [read_fact(value, self.path) for value in facts]

    def sources(self) -> dict[str, Source]:
        """Return every file that was indexed, by the path that it was named with."""
        with self._database.reading() as connection:
            return read_sources(connection)

    def note(self, name: str) -> str:
        """Return a note about the index, "" if there is none."""
        with self._database.reading() as connection:
            return _typed(read_note(connection, name), str, self.path)

    def remember_note(self, name: str, text: str) -> None:
        """Store a note about the index."""
        with self._database.writing() as connection:
            write_note(connection, name, text)

    def dead(self, generation: int) -> tuple[list[int], int]:
        """Return the rows that died up to a generation, and the generation last purged."""
        with self._database.reading() as connection:
            connection.execute("BEGIN")
            try:
                rows = connection.execute(
                    "SELECT row FROM documents WHERE died <= ?", (generation,)
                )
                dead = sorted(row for (row,) in rows)
                (purged,) = connection.execute("SELECT purged FROM clock").fetchone()
            finally:
                connection.execute("COMMIT")
        return dead, purged

    def after(self, row: int, up_to: int, *, n_most: int) -> list[Row]:
        """Return documents behind a row, dead ones too, that were born up to a generation.

        The `n_most` with the lowest rows, ascending.
        """
        query = (
            f"SELECT {_COLUMNS}, vector, died FROM documents"  # noqa: S608
            " WHERE row > ? AND born <= ? ORDER BY row LIMIT ?"
        )
        with self._database.reading() as connection:
            lines = connection.execute(query, (row, up_to, n_most)).fetchall()
        return [
            Row(line[0], self._document(line), _typed(line[-2], bytes, self.path), line[-1])
            for line in lines
        ]

    def died_between(self, generation: int, up_to: int) -> list[int]:
        """Return the rows that died after one generation and up to another."""
        query = "SELECT row FROM documents WHERE died > ? AND died <= ?"
        with self._database.reading() as connection:
            return [row for (row,) in connection.execute(query, (generation, up_to))]

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection that only reads."""
        return self._database.reading()

    def tidy(self) -> None:
        """Give free pages back to the system and empty the log."""
        self._database.tidy()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def _chosen(
        self, columns: str, key: str, values: Sequence[_Value], condition: str
    ) -> list[tuple[Any, ...]]:
        """Return columns of those documents whose key is among the values."""
        lines: list[tuple[Any, ...]] = []
        with self._database.reading() as connection:
            for part in _parts(values):
                query = (
                    f"SELECT {columns} FROM documents WHERE {key} IN ({_marks(part)})"  # noqa: S608
                    f" AND {condition}"
                )
                lines += connection.execute(query, part)
        return lines

    def _clock(self, connection: sqlite3.Connection) -> Clock:
        query = _CLOCK if self._knows_commits(connection) else _FORMAT_1_CLOCK
        line = connection.execute(query).fetchone()
        try:
            generation, purged, erased, commit = (int(value or 0) for value in line)
            if not max(purged, erased) <= generation:
                raise ValueError("dead of the future")
        except (TypeError, ValueError) as error:
            raise IndexFormatError(f"{self.path}: clock is {line!r}: expected numbers") from error
        return Clock(generation, purged, max(purged, erased), commit)

    def _knows_commits(self, connection: sqlite3.Connection) -> bool:
        if not self._has_commits:  # another process may make the table while we read
            self._has_commits = has_table(connection, "commits")
        return self._has_commits

    def _document(self, line: Sequence[Any]) -> Document:
        _, identity, text, title, metadata, chunk_of, heading, position = line[:8]
        if not (
            type(identity) is type(text) is type(title) is type(heading) is str
            and (chunk_of is None or type(chunk_of) is str)
            and type(position) is int
        ):
            for value in (identity, text, title, heading, "" if chunk_of is None else chunk_of):
                _typed(value, str, self.path)
            _typed(position, int, self.path)
        return Document(
            identity, text, title, self._metadata(metadata), chunk_of, heading, position
        )

    def _metadata(self, text: object) -> dict[str, Any]:
        if text == "{}":
            return {}
        # What was stored before there was a limit must not make every answer fail that it is in.
        try:
            metadata = json.loads(_typed(text, str, self.path))
        except RecursionError:
            return {}
        except ValueError as error:
            raise IndexFormatError(f"{self.path}: metadata: {error}: expected JSON") from error
        if is_deep(metadata):
            metadata = flattened(metadata)
        return dict(_typed(metadata, dict, self.path))


def _typed(value: Any, kind: type[_Value], path: Path) -> _Value:  # noqa: ANN401 - SQLite has any
    if not isinstance(value, kind):
        raise IndexFormatError(
            f"{path}: {str(value)[:100]!r} is a {type(value).__name__}: expected {kind.__name__}"
        )
    return value


def _new_commit() -> int:
    return secrets.randbelow(2**62) + 1


def _remove(connection: sqlite3.Connection, change: Change, generation: int) -> int:
    """End the life of what a change removes or replaces.

    Returns:
        The number of documents that do not come back with it.
    """
    n_dead = _end(connection, "id", change.ids, generation)
    if change.chunks:
        n_dead += _end(connection, "chunk_of", change.ids, generation)
    if change.filter is not None:
        n_dead += _end(connection, "row", _matching(connection, change.filter), generation)
    new_ids = [document.id for document in change.documents]
    if n_dead:
        for part in _parts(new_ids):
            query = f"SELECT count(*) FROM documents WHERE died = ? AND id IN ({_marks(part)})"  # noqa: S608
            n_dead -= connection.execute(query, (generation, *part)).fetchone()[0]
    _end(connection, "id", new_ids, generation)
    return n_dead


def _end(
    connection: sqlite3.Connection, column: str, keys: Iterable[str | int], generation: int
) -> int:
    """Mark the living rows with these keys as dead; return their number."""
    before = connection.total_changes
    connection.executemany(
        f"UPDATE documents SET died = ? WHERE {column} = ? AND died IS NULL",  # noqa: S608
        ((generation, key) for key in keys),
    )
    return connection.total_changes - before


def _insert(connection: sqlite3.Connection, change: Change, generation: int) -> list[int]:
    """Insert the documents of a change; return their rows."""
    (last,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'"
    ).fetchone()
    rows = list(range(last + 1, last + 1 + len(change.documents)))
    connection.executemany(
        "INSERT INTO documents (row, id, title, heading, text, metadata, chunk_of,"
        " position, vector, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (row, d.id, d.title, d.heading, d.text, d.stored_metadata, d.chunk_of,
             d.position, vector, generation)
            for row, d, vector in zip(rows, change.documents, change.vectors, strict=True)
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO facts VALUES (?, ?, ?)",
        sorted(
            (key, value, row)
            for row, document in zip(rows, change.documents, strict=True)
            for key, value in facts_of(document.metadata)
        ),
    )
    return rows


def _matching(connection: sqlite3.Connection, conditions: Filter) -> set[int]:
    """Return the rows, dead ones included, that satisfy every condition.

    One query a condition: SQLite joins no more than 500 of them in one.
    """
    matching: set[int] | None = None
    for key, values in conditions:
        rows: set[int] = set()
        for part in _parts(values):
            query = f"SELECT row FROM facts WHERE key = ? AND value IN ({_marks(part)})"  # noqa: S608
            rows.update(row for (row,) in connection.execute(query, (key, *part)))
        matching = rows if matching is None else matching & rows
        if not matching:
            break
    return matching or set()


def _parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), _VARIABLES):
        yield values[start : start + _VARIABLES]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
