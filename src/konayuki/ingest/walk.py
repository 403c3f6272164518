"""Files on disk: which of them are read, and their content without a way to hang."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from konayuki.errors import FormatError, NotFoundError
from konayuki.ingest.kinds import kind_of
from konayuki.text import is_encodable

MAX_FILE_MB = 64
# Nothing to wait for, and no link that came since the path was resolved.
_FLAGS = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_OPEN = sum(getattr(os, flag, 0) for flag in _FLAGS)


@dataclass(frozen=True)
class Selection:
    """Which files of a folder are read.

    Attributes:
        follow_links: Whether links that lead out of the folder are followed.
        max_file_bytes: The size of the largest file that is read, named ones included.
    """

    follow_links: bool = False
    max_file_bytes: int = MAX_FILE_MB << 20


DEFAULT_SELECTION = Selection()


@dataclass
class LeftOut:
    """Files of folders that are not read.

    Attributes:
        others: Files of kinds that cannot be read.
        errors: What could not be looked at, with reasons.
        by_reason: Numbers of files that were left out on purpose.
    """

    others: list[Path] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)


def find_files(
    paths: Iterable[Path],
    selection: Selection = DEFAULT_SELECTION,
    left_out: LeftOut | None = None,
) -> Iterator[Path]:
    """Yield files: those that are named, and those of known kinds in folders that are named.

    A file that is reached twice is yielded once. Of files in folders, hidden ones are left out, and
    so are links: one that stays in the folder leads to a file that is found anyway.

    Args:
        paths: Files and folders.
        selection: Which files of folders are read.
        left_out: Takes note of the others.

    Raises:
        NotFoundError: A path does not exist.
    """
    return (file.path for file in placed_files(paths, selection, left_out))


class File(NamedTuple):
    """A file to read: the path that leads to it, and its place, behind all links."""

    path: Path
    place: Path


def placed_files(
    paths: Iterable[Path],
    selection: Selection = DEFAULT_SELECTION,
    left_out: LeftOut | None = None,
) -> Iterator[File]:
    """Yield files as `find_files` does, each with its place."""
    left_out = LeftOut() if left_out is None else left_out
    seen = set()
    for path in paths:
        check_there(path)
        files = _Walk(path, selection, left_out).files() if path.is_dir() else (path,)
        for file in files:
            place = file.resolve()
            if place not in seen:
                seen.add(place)
                yield File(file, place)


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


class _Walk:
    """The files of one folder, in the order of their paths."""

    def __init__(self, root: Path, selection: Selection, left_out: LeftOut) -> None:
        self._root = root
        self._selection = selection
        self._left_out = left_out
        self._place = root.resolve()
        self._entered: set[Path] = {self._place}

    def files(self) -> Iterator[Path]:
        # Not by recursion: folders may be nested deeper than Python's stack.
        levels = [self._entries(self._root)]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
            elif (path := self._admitted(entry)) is not None:
                if self._is_folder(entry):
                    levels.append(self._entries(path))
                elif kind_of(path.name) is None:
                    self._left_out.others.append(path)
                else:
                    yield path

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            self._left_out.errors.append(f"{shown(folder)} cannot be listed: {error.strerror}")
            return iter(())

    def _admitted(self, entry: os.DirEntry[str]) -> Path | None:
        """Return the path of an entry that is read or entered, None for one that is left out."""
        path = Path(entry.path)
        if entry.name.startswith("."):
            return None
        if not is_encodable(entry.name):
            self._left_out.errors.append(
                f"{shown(entry.path)}: the name is not UTF-8\n"
                "hint: convmv -f cp932 -t utf8 --notest, or rename it"
            )
            return None
        if entry.is_symlink():
            return self._followed(path)
        return path

    def _followed(self, path: Path) -> Path | None:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            looped = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
            reason = "a link to itself" if looped else "a link to nothing"
            self._left_out.errors.append(f"{shown(path)}: {reason}: expected a file")
            return None
        if target.is_relative_to(self._place):
            return None
        if not self._selection.follow_links:
            self._left_out.by_reason["links out of the folder"] += 1
            return None
        if target.is_dir():
            if target in self._entered or self._place.is_relative_to(target):
                return None
            self._entered.add(target)
        return path

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:
            return False
