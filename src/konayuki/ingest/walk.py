"""Which files on disk are read."""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from konayuki.ingest.files_on_disk import check_there, shown
from konayuki.ingest.ignore import Rules, is_for_machines, is_ignored, is_index, rules_of, spec
from konayuki.ingest.kinds import kind_of
from konayuki.text import is_encodable

MAX_FILE_MB = 64


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


class _Walk:
    """The files of one folder, in the order of their paths."""

    def __init__(self, root: Path, selection: Selection, left_out: LeftOut) -> None:
        self._root = root
        self._selection = selection
        self._left_out = left_out
        self._place = root.resolve()
        self._entered: set[Path] = {self._place}
        self._include = spec(selection.include) if selection.include else None
        chosen = [Rules(str(root), spec(selection.exclude))] if selection.exclude else []
        self._chosen = chosen  # before all others, as nothing takes them back
        self._rules: list[list[Rules]] = []  # of every folder on the way

    def files(self) -> Iterator[Path]:
        """Yield the files that are read."""
        # Not by recursion: folders may be nested deeper than Python's stack.
        levels = [self._entries(self._root)]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
                self._rules.pop()
            elif (path := self._admitted(entry)) is None:
                continue
            elif _is_folder(entry):
                levels.append(self._entries(path))
            elif self._include and not self._include.match_file(self._inside(path)):
                self._left_out.by_reason["not included"] += 1
            elif kind_of(path.name) is None:
                self._left_out.others.append(path)
            else:
                yield path

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
