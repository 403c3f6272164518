"""Files that are either the old or the new ones, never half, and the lock of a folder's writer."""

import errno
import os
import shlex
import stat
import sys
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from uuid import uuid4

from konayuki.errors import InputError, KonayukiError, NotFoundError, WriteError

_BLOCK_BYTES = 1 << 24  # read at a time for a checksum

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the text, which stays readable
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

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
        raise NotFoundError(f"{path} cannot be read: {reason_of(error)}") from error


_SAFELY = (  # no link, no waiting for a pipe's other end, nothing for a child process
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Return a descriptor of a regular file; what a received folder could trick with is refused.

    Args:
        path: The file; its last part must not be a symbolic link.
        flags: As for `os.open`. If they ask for writing, the file must have this name only: bytes
            written to a hard link would change another file, too.
        mode: The rights of a file that is created.

    Raises:
        OSError: The file is missing, a link, a folder, a pipe or a device.
    """
    descriptor = os.open(path, flags | _SAFELY, mode)
    status = os.fstat(descriptor)
    linked = flags & (os.O_WRONLY | os.O_RDWR) and status.st_nlink > 1
    # Windows has no O_NOFOLLOW.
    if not stat.S_ISREG(status.st_mode) or linked or (os.name == "nt" and path.is_symlink()):
        os.close(descriptor)
        reason = "has a second name (a hard link)" if linked else "is not a regular file"
        raise OSError(errno.EINVAL, reason, str(path))
    return descriptor


def read_regular(path: Path, max_bytes: int = 1 << 20) -> bytes:
    """Return the content of a regular file, see `open_regular`.

    Args:
        path: The file.
        max_bytes: The largest size: a file with holes takes memory that its sender never sent.

    Raises:
        OSError: As `open_regular`, or the file is larger.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"has more than {max_bytes} bytes", str(path))
    return content


@contextmanager
def replacing(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Give a temporary path next to `path` that becomes `path` when the block ends.

    Whoever reads `path` sees the old file or the new one, whole; the new one has reached the disk
    before it gets its name. If the block raises, the temporary file is removed and `path` stays as
    it was. The temporary name keeps the suffix, which some writers look at. Without `synced` a loss
    of power may leave an empty file: for what can be told to be damaged and made again.

    Raises:
        WriteError: The file cannot be written, as on a full disk; the message names `path`.
    """
    if path.exists() and not path.is_file():  # renaming onto /dev/null would replace the device
        raise WriteError(f"cannot write {path}: it is not a file: expected a file or a new name")
    temporary = path.with_name(f".{path.stem}.{uuid4().hex[:12]}.partial{path.suffix}")
    try:
        yield temporary
        if synced:
            _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, KonayukiError) or error.filename not in (None, os.fspath(temporary)):
            raise  # another file's error, such as an input that cannot be read
        if not path.parent.is_dir():
            raise WriteError(
                f"cannot write {path}: {path.parent} is not a folder: expected an existing one"
            ) from error
        raise WriteError(f"cannot write {path}: {reason_of(error)}") from error
    finally:
        with suppress(OSError):  # an error of the block is the one to report
            temporary.unlink()
    # Windows cannot open folders; elsewhere the new name must be synced, too.
    if synced and os.name != "nt":
        _sync(path.parent)


def replace_file(
    path: Path, content: bytes | str, mode: int = 0o666, *, synced: bool = True
) -> None:
    """Write a whole file so that a reader never sees a part of it; text is written as UTF-8.

    Args:
        path: The file.
        content: What it will hold.
        mode: Its rights, of which the process's umask is taken away.
        synced: Wait until the disk has it, see `replacing`.
    """
    with replacing(path, synced=synced) as temporary:
        descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)


def reason_of(error: OSError) -> str:
    """Return what the system said, without its number and the path."""
    return str(error.strerror or error)


def unreadable_part(path: Path) -> Path | None:
    """Return the highest part of a path that we have no right to read; None without one."""
    unreadable = None
    for part in (path, *path.absolute().parents):
        if os.access(part, os.R_OK | (os.X_OK if os.path.isdir(part) else 0)):  # noqa: PTH112
            break
        if os.path.lexists(part):
            unreadable = part
    return unreadable


def reading_hint(path: Path) -> str:
    """Return a line that says who can give us the right to read a file or folder, and how."""
    command = f"chmod -R {{}}+rX {shlex.quote(str(path))}"
    try:
        owner = path.stat().st_uid
        if owner == os.geteuid():
            return f"hint: {command.format('u')}"
        name = import_module("pwd").getpwuid(owner).pw_name
    except (OSError, AttributeError, ImportError, KeyError):  # not on every system; no such user
        return f"hint: its owner can let others read {path}"
    return f"hint: it belongs to {name}, who can let everybody read it: {command.format('a')}"


def folder_rights(parent: Path) -> int:
    """Return the rights of a new folder: those of its parent, and all for the user who makes it."""
    return parent.stat().st_mode & 0o777 | 0o700


def file_rights(folder: Path) -> int:
    """Return the rights of a new file: whoever may use its folder may read it, and so may we."""
    return folder_rights(folder) & 0o666


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
        raise WriteError(f"cannot create the folder {folder}: {reason_of(error)}") from error


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
        _locks.add(self)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, unless this object holds it already.

        Raises:
            KonayukiError: Another process, or another object of this one, holds it.
            OSError: The file cannot be opened, or is a link.
        """
        if self.held:
            if self._has_name(self._descriptor):
                return
            self.release()  # somebody removed the file, and may hold a new one of this name
        while self._descriptor is None:
            descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(descriptor)
            except OSError as error:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise self._refusal(holder) from error
            if self._has_name(descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                self._descriptor = descriptor
            else:  # removed between the two calls: a lock on it would keep nobody out
                os.close(descriptor)

    def is_taken(self) -> bool:
        """Return whether somebody holds the lock, as far as a reader can tell."""
        try:
            descriptor = open_regular(self._path)
        except OSError:
            return False
        try:
            _lock(descriptor, shared=True)
            _unlock(descriptor)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Give the lock back, if this object holds it."""
        if self._descriptor is not None:
            _unlock(self._descriptor)
            self.abandon()

    def abandon(self) -> None:
        """Close a forked child's copy of the lock, which stays with the parent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _has_name(self, descriptor: int | None) -> bool:
        """Return whether the lock file is still the one that was opened."""
        try:
            return descriptor is not None and os.path.samestat(
                os.fstat(descriptor), self._path.lstat()
            )
        except OSError:
            return False


_locks: "weakref.WeakSet[FileLock]" = weakref.WeakSet()
if hasattr(os, "register_at_fork"):

    def _abandon_all() -> None:
        for lock in list(_locks):
            lock.abandon()

    # A child that outlives its parent would otherwise keep the lock that nobody can release.
    os.register_at_fork(after_in_child=_abandon_all)


def _holder(descriptor: int) -> str:
    """Return the number of the process that the lock file names."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"


def checksum_of(path: Path, size: int) -> int | None:
    """Return the CRC-32 of the first `size` bytes of a regular file, None if it is shorter."""
    checksum = 0
    with os.fdopen(open_regular(path), "rb") as file:
        while size:
            block = file.read(min(size, _BLOCK_BYTES))
            if not block:
                return None
            checksum = zlib.crc32(block, checksum)
            size -= len(block)
    return checksum
