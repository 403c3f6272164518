"""Content of files on disk, read without a way to hang or to be led astray."""

import os
import stat
from pathlib import Path

from konayuki.errors import FormatError, NotFoundError

# Nothing to wait for, and no link that came since the path was resolved.
_FLAGS = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_OPEN = sum(getattr(os, flag, 0) for flag in _FLAGS)


def check_there(path: Path) -> None:
    """Raise if there is neither a file nor a folder.

    Raises:
        NotFoundError: The path does not exist.
    """
    if not exists(path):
        raise NotFoundError(f"{shown(path)} does not exist: expected a file or a folder")


def exists(path: Path) -> bool:
    """Return whether a path can be followed to something."""
    try:
        return path.exists()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte
        return False


def read_regular(path: Path, label: str, max_bytes: int | None = None) -> bytes:
    """Return the content of a regular file.

    A pipe or a device is refused without waiting for it, and a link is not followed.

    Args:
        path: The file, as `Path.resolve` gives it.
        label: What errors call it.
        max_bytes: The largest size that is read; default: any.

    Raises:
        NotFoundError: It does not exist or cannot be read.
        FormatError: It is not a regular file, or larger than `max_bytes`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotFoundError(f"{label} cannot be read: {reason}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError(f"{label}: {_kind(status.st_mode)}: expected a regular file")
        if max_bytes is not None and status.st_size > max_bytes:
            raise FormatError(
                f"{label}: {status.st_size / 2**20:,.1f} MB: expected at most "
                f"{max_bytes / 2**20:,.0f} MB\nhint: --max-file-mb {status.st_size // 2**20 + 1}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read() if max_bytes is None else file.read(max_bytes)
    except OSError as error:
        raise NotFoundError(f"{label} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def shown(path: Path | str) -> str:
    """Return a path as a message can show it: bytes that are not UTF-8 as escapes."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for holds, name in kinds if holds(mode)), "something else")
