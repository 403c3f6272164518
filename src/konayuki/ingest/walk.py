"""Which files on disk are read."""

import errno
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from konayuki.ingest.files_on_disk import check_there, shown
from konayuki.ingest.ignore import Rules, is_for_machines, is_ignored, is_index, rules_of, spec
from konayuki.ingest.kinds import kind_of
from konayuki.text import is_encodable

MAX_FILE_MB = 64
_COARSEST_CLOCK_S = 2.0  # of file systems in use: FAT


@dataclass(frozen=True)
class Selection:
    """Which files of a folder are read.

    Attributes:
        follow_links: Whether links that lead out of the folder are followed.
        include: Patterns as in .gitignore: only files that match one are read; () for all files.
        exclude: Patterns as in .gitignore: files and folders that match one are left out.
        everything: Whether hidden files, those that a .gitignore leaves out, and folders of
            packages and caches are read as well.
        max_file_bytes: The size of the largest file that is read, named ones included.

    Examples:
        >>> from konayuki.ingest import find_files
        >>> Path("drafts").mkdir()
        >>> _ = Path("drafts/a.md").write_text("下書き", encoding="utf-8")
        >>> _ = Path("b.md").write_text("清書", encoding="utf-8")
        >>> [str(path) for path in find_files([Path(".")], Selection(exclude=("drafts",)))]
        ['b.md']
    """

    follow_links: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    everything: bool = False
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

    Examples:
        >>> _ = Path("a.md").write_text("本文", encoding="utf-8")
        >>> _ = Path("a.bin").write_bytes(bytes(3))
        >>> [str(path) for path in find_files([Path(".")])]
        ['a.md']
    """
    return (file.path for file in placed_files(paths, selection, left_out))


class File(NamedTuple):
    """A file to read.

    Attributes:
        path: The path that leads to it.
        place: Its place, behind all links.
        root: The folder that was named and holds it; None for a file that was named itself.
        size: Its bytes.
        stamp: What tells that it has not changed since, see `konayuki.search.Source`.
    """

    path: Path
    place: Path
    root: Path | None = None
    size: int = 0
    stamp: str = ""


def placed_files(
    paths: Iterable[Path],
    selection: Selection = DEFAULT_SELECTION,
    left_out: LeftOut | None = None,
    only: Sequence[Path] | None = None,
) -> Iterator[File]:
    """Yield files as `find_files` does, each with its place.

    Args:
        paths: Files and folders.
        selection: Which files of folders are read.
        left_out: Takes note of the others.
        only: Yield only files at these places, or in folders at these places; the folders that hold
            them are looked through for nothing else. Default: all files.
    """
    left_out = LeftOut() if left_out is None else left_out
    seen: set[str] = set()  # not of paths: hashing them takes longer than looking at the files
    for path in paths:
        check_there(path)
        if path.is_dir():
            files = _Walk(path, selection, left_out, only).files()
        else:
            place = path.resolve()
            chosen = only is None or any(place.is_relative_to(other) for other in only)
            files = iter([_file(path, place, None, _status(path))] if chosen else [])
        for file in files:
            place_name = str(file.place)
            if place_name not in seen:
                seen.add(place_name)
                yield file


def _file(path: Path, place: Path, root: Path | None, status: os.stat_result | None) -> File:
    if status is None:  # reading it will say why
        return File(path, place, root)
    changed = max(status.st_mtime, status.st_ctime)
    # Of one that has just changed, a second change may leave the same times.
    settled = time.time() - changed > _COARSEST_CLOCK_S
    marks = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return File(path, place, root, status.st_size, "-".join(map(str, marks)) if settled else "")


def _status(path: Path | os.DirEntry[str]) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


class _Walk:
    """The files of one folder, in the order of their paths."""

    def __init__(
        self,
        root: Path,
        selection: Selection,
        left_out: LeftOut,
        only: Sequence[Path] | None = None,
    ) -> None:
        self._root = root
        self._only = only
        self._selection = selection
        self._left_out = left_out
        self._place = root.resolve()
        self._entered: set[Path] = {self._place}
        self._include = spec(selection.include) if selection.include else None
        chosen = [Rules(str(root), spec(selection.exclude))] if selection.exclude else []
        self._chosen = chosen  # before all others, as nothing takes them back
        self._rules: list[list[Rules]] = []  # of every folder on the way

    def files(self) -> Iterator[File]:
        """Yield the files that are read."""
        # Not by recursion: folders may be nested deeper than Python's stack.
        levels = [(self._entries(self._root), self._place)]
        while levels:
            entry = next(levels[-1][0], None)
            if entry is None:
                levels.pop()
                self._rules.pop()
                continue
            # Resolving every path of a large folder would take longer than all the rest.
            place = levels[-1][1] / entry.name
            if not self._is_wanted(place) or (path := self._admitted(entry)) is None:
                continue
            if entry.is_symlink():
                place = path.resolve()
            if _is_folder(entry):
                levels.append((self._entries(path), place))
            elif self._include and not self._include.match_file(self._inside(path)):
                self._left_out.by_reason["not included"] += 1
            elif kind_of(path.name) is None:
                self._left_out.others.append(path)
            else:
                yield _file(path, place, self._root, _status(entry))

    def _is_wanted(self, place: Path) -> bool:
        """Return whether a place is one that is asked for, lies in one or leads to one."""
        return self._only is None or any(
            place.is_relative_to(only) or only.is_relative_to(place) for only in self._only
        )

    def _inside(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        self._rules.append([])
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self._left_out.errors.append(f"{shown(folder)} cannot be listed: {error.strerror}")
            return iter(())
        if self._selection.everything:
            return iter(entries)
        names = [entry.name for entry in entries]
        if is_index(names):
            self._left_out.by_reason["folders of an index"] += 1
            return iter(())
        self._rules[-1] = rules_of(folder, names)
        return iter(entries)

    def _admitted(self, entry: os.DirEntry[str]) -> Path | None:
        """Return the path of an entry that is read or entered, None for one that is left out."""
        path = Path(entry.path)
        if reason := self._reason(entry):
            self._left_out.by_reason[reason] += 1
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

    def _reason(self, entry: os.DirEntry[str]) -> str:
        """Return why an entry is left out on purpose, or ""."""
        if self._chosen and is_ignored(entry.path, self._chosen, is_folder=_is_folder(entry)):
            return "excluded"
        if self._selection.everything:
            return ""
        if entry.name.startswith("."):
            return "hidden"
        rules = [rule for level in self._rules for rule in level]
        if not rules and not is_for_machines(entry.name):
            return ""
        is_folder = _is_folder(entry)
        if is_folder and is_for_machines(entry.name):
            return "folders of packages and caches"
        return "ignored by .gitignore" if is_ignored(entry.path, rules, is_folder=is_folder) else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False
