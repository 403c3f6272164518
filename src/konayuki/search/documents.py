"""The truth of an index: one SQLite file, every write one transaction and one generation."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from konayuki.errors import IndexFormatError
from konayuki.search.document import Document, facts_of

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (generation INTEGER NOT NULL, purged INTEGER NOT NULL);
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, title TEXT NOT NULL,
    heading TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL, chunk_of TEXT,
    position INTEGER NOT NULL, vector BLOB NOT NULL, born INTEGER NOT NULL, died INTEGER
);
CREATE UNIQUE INDEX living_id ON documents (id) WHERE died IS NULL;
CREATE INDEX living_chunk ON documents (chunk_of) WHERE died IS NULL AND chunk_of IS NOT NULL;
CREATE INDEX dead ON documents (died) WHERE died IS NOT NULL;
CREATE TABLE facts (
    key TEXT NOT NULL, value TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (key, value, row)
) WITHOUT ROWID;
CREATE TABLE sources (path TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO clock VALUES (0, 0);
"""
# Made with the first source that has a place: indexes of earlier versions have no such table.
_PLACES = """
CREATE TABLE IF NOT EXISTS places (path TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID
"""
_COLUMNS = "row, id, text, title, metadata, chunk_of, heading, position"
_Value = TypeVar("_Value")
_VARIABLES = 500  # values in one IN (…): far below the limit of every SQLite in use


class Row(NamedTuple):
    """A document as the derived parts take it in."""

    row: int
    document: Document
    vector: bytes
    died: int | None


class Source(NamedTuple):
    """A file that was indexed.

    Attributes:
        digest: Of its content and of how it was read; "" where it must be read again.
        place: Its absolute path, whatever folder it was named from; "" where that was not noted.
    """

    digest: str
    place: str = ""


class Clock(NamedTuple):
    """Where the truth stands: its generation, and up to which one the dead were removed."""

    generation: int
    purged: int


class Documents:
    """Documents by id, with a row number that no other version of a document ever gets.

    A row is never changed: an upsert ends the life of the old row and adds a new one. Rows that
    died stay until `purge`, so a search on an earlier generation still finds its texts.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._pool: list[sqlite3.Connection] = []
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._writer: sqlite3.Connection | None = None

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> "Documents":
        """Write an empty database with these settings."""
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
        connection.close()
        return cls(path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that no other thread uses meanwhile."""
        with self._guard:
            connection = self._pool.pop() if self._pool else None
        try:
            connection = connection or self._connect()
            yield connection
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        finally:
            if connection is not None:
                with self._guard:
                    self._pool.append(connection)

    @contextmanager
    def writing(self, *, advance: bool = True) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Run one transaction, as the next generation if it changes what a search can find.

        Yields:
            The connection and the generation.
        """
        try:
            if self._writer is None:
                self._writer = self._connect()
                # FULL: an acknowledged write survives the loss of power, not only of the process.
                self._writer.execute("PRAGMA synchronous = FULL")
            connection = self._writer
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE clock SET generation = generation + ?", (advance,))
                (generation,) = connection.execute("SELECT generation FROM clock").fetchone()
                yield connection, generation
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def settings(self) -> dict[str, str]:
        """Return what was fixed when the index was made."""
        with self.reading() as connection:
            return dict(connection.execute("SELECT name, value FROM settings"))

    def clock(self) -> Clock:
        """Return the newest committed generation."""
        with self.reading() as connection:
            return Clock(*connection.execute("SELECT generation, purged FROM clock").fetchone())

    def store(
        self, documents: Sequence[Document], vectors: Sequence[bytes]
    ) -> tuple[int, list[int]]:
        """Insert documents, ending the life of earlier ones with the same ids.

        Args:
            documents: Documents with different ids.
            vectors: The int8 vector of each, as bytes.

        Returns:
            The generation of this write and the row of each document.
        """
        with self.writing() as (connection, generation):
            _end(connection, "id", [document.id for document in documents], generation)
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'"
            ).fetchone()
            rows = list(range(last + 1, last + 1 + len(documents)))
            connection.executemany(
                "INSERT INTO documents (row, id, title, heading, text, metadata, chunk_of,"
                " position, vector, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (row, d.id, d.title, d.heading, d.text, d.stored_metadata, d.chunk_of,
                     d.position, vector, generation)
                    for row, d, vector in zip(rows, documents, vectors, strict=True)
                ),
            )  # fmt: skip
            connection.executemany(
                "INSERT INTO facts VALUES (?, ?, ?)",
                sorted(
                    (key, value, row)
                    for row, document in zip(rows, documents, strict=True)
                    for key, value in facts_of(document.metadata)
                ),
            )
        return generation, rows

    def end(self, ids: Sequence[str], *, chunks: bool) -> tuple[int, int]:
        """End the life of documents; with `chunks` also of those cut from these documents.

        Returns:
            The generation of this write and the number of documents that died.
        """
        with self.writing() as (connection, generation):
            n_dead = _end(connection, "id", ids, generation)
            if chunks:
                n_dead += _end(connection, "chunk_of", ids, generation)
        return generation, n_dead

    def purge(self, generation: int) -> None:
        """Remove the rows that died up to a generation which every derived part has reached."""
        with self.writing(advance=False) as (connection, _):
            connection.execute(
                "DELETE FROM facts WHERE row IN (SELECT row FROM documents WHERE died <= ?)",
                (generation,),
            )
            connection.execute("DELETE FROM documents WHERE died <= ?", (generation,))
            connection.execute("UPDATE clock SET purged = ?", (generation,))

    def get(self, identity: str) -> Document | None:
        """Return the living document with this id, None where there is none."""
        query = f"SELECT {_COLUMNS} FROM documents WHERE id = ? AND died IS NULL"  # noqa: S608
        with self.reading() as connection:
            found = connection.execute(query, (identity,)).fetchone()
        return _document(found) if found else None

    def by_row(self, rows: Sequence[int]) -> dict[int, Document]:
        """Return the documents of these rows; a row that was removed is left out."""
        found = {}
        with self.reading() as connection:
            for part in _parts(rows):
                query = f"SELECT {_COLUMNS} FROM documents WHERE row IN ({_marks(part)})"  # noqa: S608
                found.update({line[0]: _document(line) for line in connection.execute(query, part)})
        return found

    def matching(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[int]:
        """Return the rows, dead ones included, whose metadata satisfies a filter; ascending."""
        query = " INTERSECT ".join(
            f"SELECT row FROM facts WHERE key = ? AND value IN ({_marks(values)})"  # noqa: S608
            for _, values in wanted
        )
        values = [item for key, allowed in wanted for item in (key, *allowed)]
        with self.reading() as connection:
            return sorted({row for (row,) in connection.execute(query, values)})

    def ids_of(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of those rows that live."""
        found: list[str] = []
        with self.reading() as connection:
            for part in _parts(rows):
                query = (
                    f"SELECT id FROM documents WHERE row IN ({_marks(part)})"  # noqa: S608
                    " AND died IS NULL"
                )
                found.extend(identity for (identity,) in connection.execute(query, part))
        return found

    def metadata_of(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the metadata of the living documents among these."""
        found = {}
        with self.reading() as connection:
            for part in _parts(ids):
                query = (
                    f"SELECT id, metadata FROM documents WHERE id IN ({_marks(part)})"  # noqa: S608
                    " AND died IS NULL"
                )
                lines = connection.execute(query, part)
                found.update({identity: json.loads(metadata) for identity, metadata in lines})
        return found

    def sources(self) -> dict[str, Source]:
        """Return every file that was indexed, by the path that it was named with."""
        with self.reading() as connection:
            digests = dict(connection.execute("SELECT path, digest FROM sources"))
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'places'")
            known = tables.fetchone() is not None
            places = dict(connection.execute("SELECT path, place FROM places") if known else ())
        return {path: Source(digest, places.get(path, "")) for path, digest in digests.items()}

    def remember_sources(self, sources: Mapping[str, Source | None]) -> None:
        """Note files; None forgets one."""
        with self.writing(advance=False) as (connection, _):
            connection.execute(_PLACES)
            for path, source in sources.items():
                if source is None:
                    connection.execute("DELETE FROM sources WHERE path = ?", (path,))
                    connection.execute("DELETE FROM places WHERE path = ?", (path,))
                else:
                    connection.execute("REPLACE INTO sources VALUES (?, ?)", (path, source.digest))
                    connection.execute("REPLACE INTO places VALUES (?, ?)", (path, source.place))

    def dead(self, generation: int) -> tuple[list[int], int]:
        """Return the rows that died up to a generation, and the generation last purged."""
        with self.reading() as connection:
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
        with self.reading() as connection:
            lines = connection.execute(query, (row, up_to, n_most)).fetchall()
        return [Row(line[0], _document(line), *line[-2:]) for line in lines]

    def died_between(self, generation: int, up_to: int) -> list[int]:
        """Return the rows that died after one generation and up to another."""
        query = "SELECT row FROM documents WHERE died > ? AND died <= ?"
        with self.reading() as connection:
            return [row for (row,) in connection.execute(query, (generation, up_to))]

    def close(self) -> None:
        """Close every connection; the last one moves the write-ahead log into the file."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._pool.clear()
            self._writer = None

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rw"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=30,
            isolation_level=None,
            check_same_thread=False,
        )
        with self._guard:
            self._all.append(connection)
        return connection

    def _damaged(self, error: sqlite3.DatabaseError) -> IndexFormatError:
        return IndexFormatError(
            f"{self.path}: {error}: expected the documents of an index\n"
            "hint: this file is the source of all others; restore it from a backup or index again"
        )


def _end(connection: sqlite3.Connection, column: str, keys: Iterable[str], generation: int) -> int:
    """Mark the living rows with these keys as dead; return their number."""
    before = connection.total_changes
    connection.executemany(
        f"UPDATE documents SET died = ? WHERE {column} = ? AND died IS NULL",  # noqa: S608
        ((generation, key) for key in keys),
    )
    return connection.total_changes - before


def _document(line: Sequence[Any]) -> Document:
    _, identity, text, title, metadata, chunk_of, heading, position = line[:8]
    return Document(identity, text, title, json.loads(metadata), chunk_of, heading, position)


def _parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), _VARIABLES):
        yield values[start : start + _VARIABLES]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
