"""Files that are either the old or the new ones, never half, and the lock of a folder's writer."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from konayuki.errors import InputError, KonayukiError, NotFoundError, WriteError

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the text, which stays readable
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        # Closing alone would not do: a forked child may still hold a copy of the descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        NotFoundError: It does not exist or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path` that becomes `path` when the block ends.

    Whoever reads `path` sees the old file or the new one, whole; the new one has reached the disk
    before it gets its name. If the block raises, the temporary file is removed and `path` stays as
    it was. The temporary name keeps the suffix, which some writers look at.

    Raises:
        WriteError: The file cannot be written, as on a full disk; the message names `path`.
    """
    if path.exists() and not path.is_file():  # renaming onto /dev/null would replace the device
        raise WriteError(f"cannot write {path}: it is not a file: expected a file or a new name")
    temporary = path.with_name(f".{path.stem}.{uuid4().hex[:12]}.partial{path.suffix}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, KonayukiError) or error.filename not in (None, os.fspath(temporary)):
            raise  # another file's error, such as an input that cannot be read
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # an error of the block is the one to report
            temporary.unlink()
    if os.name != "nt":  # Windows cannot open folders; elsewhere the new name must be synced too
        _sync(path.parent)


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a whole file so that a reader never sees a part of it; text is written as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, if they do not exist.

    Raises:
        InputError: A file is in the way.
        WriteError: The system refuses, as without permission.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"cannot create the folder {folder}: a file is in the way: expected a folder\n"
            "hint: name another folder; it is created if it does not exist"
        ) from error
    except OSError as error:
        raise WriteError(f"cannot create the folder {folder}: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """The right of one process to write to a folder, held until `release` or its end.

    Args:
        path: The lock file; it holds the number of the process and may stay behind unlocked.
        refusal: Gives the error to raise, from the number of the process that holds the lock.
    """

    def __init__(self, path: Path, refusal: Callable[[str], KonayukiError]) -> None:
        self._path = path
        self._refusal = refusal
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, unless this object holds it already.

        Raises:
            KonayukiError: Another process, or another object of this one, holds it.
        """
        if self.held:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise self._refusal(holder) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back, if this object holds it."""
        if self._descriptor is not None:
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def _holder(descriptor: int) -> str:
    """Return the number of the process that the lock file names."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
