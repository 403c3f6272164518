"""What earlier builds of a site found out: a file for parts that need not be made again."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import konayuki
from konayuki.errors import InputError, WriteError
from konayuki.files import make_folder

_IS_OURS = 0x6B797563  # "kyuc" in the header of the file
_CHECKSUM = 8  # bytes in front of each value


class Cache:
    """Parts by kind and content, in one SQLite file; what a build does not ask for is forgotten.

    Args:
        connection: To the file; None for a build that keeps nothing.
    """

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        self._connection = connection
        self._used: set[tuple[str, bytes]] = set()

    def get(self, kind: str, content: bytes) -> bytes | None:
        """Return what was made of some content, or None."""
        if self._connection is None:
            return None
        key = _key(kind, content)
        query = "SELECT CAST(value AS BLOB) FROM parts WHERE kind = ? AND digest = ?"
        row = self._connection.execute(query, key).fetchone()
        if row is None or row[0] is None:
            return None
        stored: bytes = row[0]
        checksum, value = stored[:_CHECKSUM], stored[_CHECKSUM:]
        if checksum != _checksum(value):
            return None  # damaged: it is made again
        self._used.add(key)
        return value

    def put(self, kind: str, content: bytes, value: bytes) -> None:
        """Keep what was made of some content."""
        if self._connection is None:
            return
        key = _key(kind, content)
        self._used.add(key)
        line = (*key, _checksum(value) + value)
        self._connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", line)

    def forget_unused(self) -> None:
        """Remove what was neither asked for nor put."""
        if self._connection is None:
            return
        known = self._connection.execute("SELECT kind, digest FROM parts").fetchall()
        unused = [key for key in known if key not in self._used]
        self._connection.executemany("DELETE FROM parts WHERE kind = ? AND digest = ?", unused)


def _checksum(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:_CHECKSUM]


def _key(kind: str, content: bytes) -> tuple[str, bytes]:
    return f"{kind} {konayuki.__version__}", hashlib.sha256(content).digest()


@contextmanager
def opened(path: Path | None) -> Iterator[Cache]:
    """Give the cache in a file, which is made if it does not exist; None: a cache of nothing.

    Raises:
        InputError: The file is something else.
        WriteError: It cannot be written.
    """
    if path is None:
        yield Cache()
        return
    make_folder(path.parent)
    connection = _connected(path)
    try:
        cache = Cache(connection)
        yield cache
        cache.forget_unused()
        connection.commit()
    except sqlite3.Error as error:
        raise WriteError(
            f"cannot keep what was built in {path}: {error}\n"
            "hint: remove it if it is damaged; each build that runs needs a file of its own"
        ) from error
    finally:
        connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(path)
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != _IS_OURS:
            if n_tables:
                raise sqlite3.DatabaseError("another program's database")
            connection.execute(f"PRAGMA application_id = {_IS_OURS}")
        # Also in a file with the mark: a process may have ended between the two.
        connection.execute(
            "CREATE TABLE IF NOT EXISTS parts (kind TEXT, digest BLOB, value BLOB,"
            " PRIMARY KEY (kind, digest)) WITHOUT ROWID"
        )
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise InputError(
            f"{path} cannot be used as the cache of a site: {error}\n"
            "hint: name a new file, or remove this one if it is a damaged cache"
        ) from error
    return connection
