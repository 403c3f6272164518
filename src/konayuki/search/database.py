"""One SQLite file: its connections, whether it is what it says, and what its errors mean."""

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from konayuki.errors import IndexFormatError, NotFoundError
from konayuki.files import open_regular
from konayuki.search.failures import BACKUP, failure

SCHEMA = """
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
"""
# Indexes of format 1 may have no places, and have no commits.
LATER_TABLES = (
    "CREATE TABLE IF NOT EXISTS places (path TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS commits (generation INTEGER PRIMARY KEY, id INTEGER NOT NULL)",
)

_MAX_NUMBER = 2**62  # so that no counter runs over in the life of an index
_NUMBERS = """
SELECT (SELECT min(row) FROM documents), (SELECT max(row) FROM documents),
    (SELECT max(seq) FROM sqlite_sequence WHERE name = 'documents'),
    (SELECT min(died) FROM documents WHERE died IS NOT NULL),
    (SELECT max(died) FROM documents WHERE died IS NOT NULL),
    (SELECT generation FROM clock), (SELECT purged FROM clock)
"""


class Database:
    """Connections to the documents of an index, lent to one thread at a time.

    A damaged file may make the messages of SQLite itself undecodable.

    Args:
        path: The file.
        read_only: Never change it. If the system does not let us write next to it either, SQLite
            cannot keep its shared memory there: see `_connect_where_nothing_can_be_written`.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._pool: list[sqlite3.Connection] = []
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._unwatched: tuple[object, ...] | None = None
        self._copies: list[tempfile.TemporaryDirectory[str]] = []

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that no other thread uses meanwhile."""
        connection = None
        try:
            with self._guard:
                if self._unwatched is not None and self._unwatched != self._look():
                    self._pool.clear()  # another user has written: what we opened is the past
                connection = self._pool.pop() if self._pool else None
            connection = connection or self._connect()
            yield connection
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise failure(self.path, error) from error
        finally:
            if connection is not None:
                with self._guard:
                    self._pool.append(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: all of it is stored, or nothing."""
        try:
            if self._writer is None:
                self._writer = self._connect()
                # FULL: an acknowledged write survives the loss of power, not only of the process.
                self._writer.execute("PRAGMA synchronous = FULL")
                # What is deleted is overwritten, not only forgotten.
                self._writer.execute("PRAGMA secure_delete = ON")
            with self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise failure(self.path, error) from error

    def tidy(self) -> None:
        """Give free pages back to the system and empty the log; not needed for any promise."""
        if self._writer is None:
            return
        with suppress(sqlite3.Error):
            (n_free,) = self._writer.execute("PRAGMA freelist_count").fetchone()
            (n_pages,) = self._writer.execute("PRAGMA page_count").fetchone()
            if 4 * n_free > n_pages:
                # `execute` would free one page only: it stops at a row without columns.
                self._writer.executescript("PRAGMA incremental_vacuum")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close every connection; the last one moves the write-ahead log into the file."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._pool.clear()
            self._writer = None
            for folder in self._copies:
                folder.cleanup()
            self._copies.clear()

    def _connect(self) -> sqlite3.Connection:
        self._check_files()
        if self._read_only and not (
            os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK)
        ):
            connection = self._connect_where_nothing_can_be_written()
        else:
            connection = self._open(self.path, "mode=rw")
        if self._read_only:
            connection.execute("PRAGMA query_only = ON")
        with self._guard:
            first = not self._all
            self._all.append(connection)
        if first:
            check_schema(connection, self.path)
            check_numbers(connection, self.path)
        return connection

    def _connect_where_nothing_can_be_written(self) -> sqlite3.Connection:
        """Open read-only media, or the folder of another user.

        A database with a write-ahead log needs shared memory next to it. If a writer has put it
        there, we may read it. Else nobody has the database open and, if the log is empty or gone,
        the file alone is everything: it is opened as one that does not change, and opened again
        once it or its log look different. A log that nobody has open is read from a copy.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        self._unwatched = self._look()
        try:
            connection = self._open(self.path, "mode=ro")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            if not log.exists() or log.stat().st_size == 0:
                return self._open(self.path, "mode=ro&immutable=1")
            folder = tempfile.TemporaryDirectory(prefix="konayuki-")
            self._copies.append(folder)
            for path in (self.path, log):
                shutil.copyfile(path, Path(folder.name) / path.name)
            return self._open(Path(folder.name) / self.path.name, "mode=rw")
        self._unwatched = None
        return connection

    def _look(self) -> tuple[object, ...]:
        """Return what changes when somebody else writes."""
        marks: list[object] = []
        for suffix in ("", "-wal", "-shm"):
            try:
                status = self.path.with_name(f"{self.path.name}{suffix}").stat()
                marks.append((status.st_ino, status.st_size, status.st_mtime_ns))
            except OSError:
                marks.append(None)
        return tuple(marks)

    def _check_files(self) -> None:
        """Refuse what a received folder could do harm with.

        The files are looked at, not opened: closing any descriptor of a file would drop the locks
        that other connections of this process have on it. SQLite itself follows no links to its
        log. A rollback journal is none of ours, and may name a file that SQLite then deletes.
        """
        for suffix in ("-journal", "-wal", "-shm", ""):
            path = self.path.with_name(f"{self.path.name}{suffix}")
            try:
                status = path.lstat()
            except FileNotFoundError as error:
                if not suffix:
                    raise NotFoundError(
                        f"{path} does not exist: expected the documents of an index"
                    ) from error
                continue
            if not stat.S_ISREG(status.st_mode) or (suffix and status.st_nlink > 1):
                raise IndexFormatError(f"{path}: expected a regular file, not a link or a folder")
            if suffix == "-journal":
                raise IndexFormatError(
                    f"{path}: expected no rollback journal: an index keeps a write-ahead log\n"
                    "hint: remove it if you trust where the folder comes from"
                )

    def _open(self, path: Path, parameters: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{parameters}",
            uri=True,
            timeout=30,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection


def create_database(path: Path, mode: int) -> None:
    """Write an empty database that other users see as far as `mode` allows."""
    os.close(open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode))
    connection = sqlite3.connect(path)
    # Before the first table, or the file never gives pages back.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(";".join((SCHEMA, *LATER_TABLES)))
    connection.execute("INSERT INTO clock VALUES (0, 0)")
    connection.commit()
    connection.close()


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Compare the tables of a database with ours.

    A view or a trigger under the name of a table could run for ever or answer what it likes.

    Raises:
        IndexFormatError: One is missing, differs or is not ours.
    """
    expected = _definitions()
    query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    definitions = {name: _normalized(sql) for name, sql in connection.execute(query)}
    for name, sql in definitions.items():
        if expected.get(name) != sql:
            raise IndexFormatError(f"{path}: {name!r}: expected the tables of an index only")
    if missing := expected.keys() - definitions.keys() - {"places", "commits"}:
        raise IndexFormatError(f"{path}: no table {min(missing)!r}: expected those of an index")


def check_numbers(connection: sqlite3.Connection, path: Path) -> None:
    """Compare row numbers and generations with the counters that they come from.

    New documents would not be found next to a row or generation that lies ahead of its counter.
    Every number here is the end of a tree, so this takes no longer with more documents.

    Raises:
        IndexFormatError: They are not what a writer of ours leaves.
    """
    line = connection.execute(_NUMBERS).fetchone()
    numbers = [0 if value is None else value for value in line]
    if all(type(number) is int for number in numbers):
        least_row, last_row, counted, first_death, last_death, generation, purged = numbers
        if (
            min(least_row, first_death, purged) >= 0
            and last_row <= counted < _MAX_NUMBER
            and max(last_death, purged) <= generation < _MAX_NUMBER
        ):
            return
    raise IndexFormatError(
        f"{path}: rows and generations are {line}: expected numbers within their counters\n"
        f"hint: {BACKUP}"
    )


@lru_cache(maxsize=1)
def _definitions() -> dict[str, str]:
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(";".join((SCHEMA, *LATER_TABLES)))
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        definitions = {name: _normalized(sql) for name, sql in connection.execute(query)}
    connection.close()
    definitions.pop("sqlite_sequence")
    return definitions


def _normalized(sql: object) -> str:
    return " ".join(str(sql).split())
