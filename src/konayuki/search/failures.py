"""What an error of SQLite, tantivy or the system means for an index, as one of our errors."""

import errno
import shutil
import sqlite3
from pathlib import Path

from konayuki.errors import (
    IndexFormatError,
    IndexLockedError,
    InputError,
    KonayukiError,
    NotFoundError,
    ReadOnlyError,
    WriteError,
)
from konayuki.files import reading_hint, reason_of, unreadable_part

_FULL = ("disk is full", "no space left", "os error 28", "quota exceeded")
# What SQLite and tantivy make of a full disk, among other things.
_PERHAPS_FULL = ("disk i/o error", "index writer was killed")
_LITTLE_ROOM = 1 << 20
_FORBIDDEN = ("readonly", "read-only", "permission denied", "os error 13", "os error 30")
_BUSY = ("is locked", "lockbusy", "failed to acquire lockfile")
_CLOSED = ("closed database",)
_SYSTEM = ("unable to open", "disk i/o error", "too many open files")
_BY_NUMBER = {
    errno.ENOSPC: _FULL[0],
    getattr(errno, "EDQUOT", errno.ENOSPC): _FULL[0],
    errno.EROFS: _FORBIDDEN[1],
    errno.EACCES: _FORBIDDEN[2],
    errno.EPERM: _FORBIDDEN[2],
    errno.EMFILE: _SYSTEM[2],
    errno.ENFILE: _SYSTEM[2],
}
BACKUP = "this file is the source of all others; restore it from a backup or index again"


def failure(path: Path, error: BaseException) -> KonayukiError:
    """Return the error to raise for one that was met while working on a file of an index.

    The real cause decides: a full disk is a `WriteError`, a missing right a `ReadOnlyError`,
    another writer an `IndexLockedError`. What is left is a file that is damaged or must not be
    read, `IndexFormatError`: derived parts of both kinds can be made again.
    """
    if isinstance(error, WriteError) and isinstance(error.__cause__, OSError):
        error = error.__cause__  # of `replacing`: our own words for it follow
    if isinstance(error, KonayukiError):
        return error
    number = error.errno if isinstance(error, OSError) else None
    said = reason_of(error) if isinstance(error, OSError) else error
    reason = _BY_NUMBER.get(number or 0, "") + f" {said}".lower()
    perhaps_full = any(sign in reason for sign in _PERHAPS_FULL)
    if any(sign in reason for sign in _FULL) or (perhaps_full and _has_little_room(path)):
        return WriteError(
            f"{path}: {said}: expected room on the disk\n"
            "hint: nothing that was stored is lost; make room and try again"
        )
    forbidden = any(sign in reason for sign in _FORBIDDEN)
    refused = forbidden or any(sign in reason for sign in _SYSTEM)
    if refused and (unreadable := unreadable_part(Path(getattr(error, "filename", None) or path))):
        return IndexFormatError(
            f"{unreadable}: {said}: expected the right to read it\n{reading_hint(unreadable)}"
        )
    if forbidden:
        return ReadOnlyError(
            f"{path}: {said}: expected the right to write\n"
            "hint: searching needs the right to read only: Index.open(path, read_only=True)"
        )
    if any(sign in reason for sign in _BUSY):
        return IndexLockedError(
            f"{path}: {said}: expected no other writer\n"
            "hint: close the other Index to write from here"
        )
    if any(sign in reason for sign in _CLOSED):
        return InputError(f"{path}: the index is closed\nhint: Index.open opens it again")
    if any(sign in reason for sign in _SYSTEM):
        return NotFoundError(f"{path}: {said}: expected a file that can be opened and read")
    if isinstance(error, sqlite3.Error | UnicodeDecodeError):
        return IndexFormatError(
            f"{path}: {said}: expected the documents of an index\nhint: {BACKUP}"
        )
    return IndexFormatError(f"{path}: {said}")


def creation_failure(folder: Path, error: OSError) -> KonayukiError:
    """Return the error to raise for one that was met while making an index."""
    problem = failure(folder, error)
    if isinstance(problem, IndexLockedError | InputError) or type(problem) is WriteError:
        return problem
    return WriteError(
        f"{folder}: {reason_of(error)}: expected a place where an index can be made\n"
        "hint: choose another folder"
    )


def _has_little_room(path: Path) -> bool:
    """Return whether the disk of a file or folder is full, or nearly so."""
    try:
        folder = next(part for part in (path, *path.absolute().parents) if part.is_dir())
        return shutil.disk_usage(folder).free < _LITTLE_ROOM
    except (OSError, StopIteration):
        return False
