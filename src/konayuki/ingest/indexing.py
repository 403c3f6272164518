"""Bring an index up to date with files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from konayuki.errors import FormatError, InputError, MissingExtraError, NotFoundError
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting
from konayuki.ingest.claims import Claims
from konayuki.ingest.columns import Columns
from konayuki.ingest.files_on_disk import read_regular, shown
from konayuki.ingest.names import NamedFile, Names, is_gone
from konayuki.ingest.records import DEFAULT_COLUMNS, Remarks, records_of
from konayuki.ingest.storing import Change, batches, store
from konayuki.ingest.summary import Summary
from konayuki.ingest.walk import (
    DEFAULT_SELECTION,
    File,
    LeftOut,
    Selection,
    placed_files,
)
from konayuki.progress import say, track
from konayuki.search.documents import Source
from konayuki.search.index import Index

# Higher whenever the same file gives other records or terms: an update then reads it again.
_READING = 3
_LARGE_BYTES = 16 << 20  # of which the reading is announced, as it takes seconds


def update(
    index: Index,
    paths: Sequence[str | Path],
    cutting: Cutting = DEFAULT_CUTTING,
    *,
    selection: Selection = DEFAULT_SELECTION,
    columns: Columns = DEFAULT_COLUMNS,
    prune: bool = False,
    show_progress: bool = False,
) -> Summary:
    """Index the files under these paths; those that did not change since last time cost nothing.

    A file is known by its place, however its path is spelled; the index calls it by the path that
    it was first named with. Its passages, the removal of earlier ones and the note of the file are
    stored together, some files at a time.

    An id belongs to the file that had it first, as long as this file exists and has it: rows of
    other files with the same id are left out with a warning, and read again once it is free.

    Args:
        index: Where the passages go.
        paths: Files and folders.
        cutting: How documents are cut.
        selection: Which files of folders are read.
        columns: Which columns of tables are what.
        prune: Also remove the passages of every indexed file that is not on disk any more, whether
            or not it lay under these paths.
        show_progress: Draw a bar on stderr, or write lines if it is not a terminal.

    Raises:
        NotFoundError: A path does not exist.
        FormatError: A file that was named itself cannot be read. Such a file inside a folder is
            skipped, and the summary names it.

    Examples:
        >>> _ = Path("a.txt").write_text("雪が降る。", encoding="utf-8")
        >>> update(index, ["a.txt"]).passages
        1
        >>> update(index, ["a.txt"]).unchanged  # the second time nothing is read
        1
        >>> index.search("降雪", k=1)[0].metadata["path"]
        'a.txt'
    """
    if isinstance(paths, str | Path):
        raise InputError(f"paths is {paths!r}: expected a list of paths\nhint: [{str(paths)!r}]")
    roots = [Path(path) for path in paths]
    left_out = LeftOut()
    files = list(placed_files(roots, selection, left_out))
    update = _Update(index, set(roots), cutting, selection, columns, show_progress=show_progress)
    with index.bulk():
        if prune:
            update.prune(roots)
        update.read(track(files, "index", total=len(files), unit=" files", enabled=show_progress))
        update.read(update.claims.freed())
    summary = update.summary()
    summary.skipped = [*left_out.errors, *summary.skipped]
    summary.left_out = dict(sorted(left_out.by_reason.items()))
    summary.ignored = dict(sorted(Counter(path.suffix for path in left_out.others).items()))
    return summary


class _Update:
    """The state of one update."""

    def __init__(
        self,
        index: Index,
        named: set[Path],
        cutting: Cutting,
        selection: Selection,
        columns: Columns,
        *,
        show_progress: bool,
    ) -> None:
        self._known = index.sources()
        self.claims = Claims(index, self._known)
        self._names = Names(self._known)
        self._index = index
        self._named = named
        self._cutting = cutting
        self._selection = selection
        self._columns = columns
        self._show_progress = show_progress
        self._remarks: dict[str, Remarks] = {}
        self._skipped: list[str] = []
        self._unreadable: dict[str, list[str]] = {}  # files, by the extra that is missing
        self._n_unchanged = 0
        self._n_removed = 0

    def prune(self, roots: Sequence[Path]) -> None:
        """Remove the passages of files that do not exist any more."""
        # An interrupted run of an earlier version left passages without a note of their file.
        paths = [path for path in self._index.values("path") if isinstance(path, str)]
        names = dict.fromkeys([*self._known, *paths])
        gone = (name for name in names if is_gone(name, self._known.get(name), roots))
        self._store(Change(name, None) for name in gone)

    def read(self, files: Iterable[File | NamedFile]) -> None:
        """Bring the index up to date with files."""
        self._store(change for file in files for change in self._changes(file))

    def summary(self) -> Summary:
        """Return what was done, in numbers."""
        summary = Summary(
            files=len(self._remarks) + self._n_unchanged,
            unchanged=self._n_unchanged,
            passages=len(self.claims.taken),
            removed=self._n_removed,
            skipped=[*self._skipped, *map(_missing, self._unreadable.items())],
        )
        for name, remarks in self._remarks.items():
            summary.take(name, remarks, self.claims.lost.get(name, {}))
        return summary

    def _store(self, changes: Iterable[Change]) -> None:
        for batch in batches(changes):
            self._n_removed += store(self._index, batch)

    def _changes(self, file: File | NamedFile) -> Iterator[Change]:
        """Yield what a file changes: nothing if it is as before or cannot be read."""
        doubles: list[str] = []
        if not isinstance(file, NamedFile):
            file, doubles = self._names.of(file)
        try:
            change = self._change(file)
        except (FormatError, NotFoundError, MissingExtraError) as error:
            if file.path in self._named:
                raise
            if isinstance(error, MissingExtraError):
                self._unreadable.setdefault(str(error), []).append(shown(file.path))
            else:
                self._skipped.append(str(error))
            return
        yield from (Change(name, None) for name in doubles)
        if change is not None:
            yield change

    def _change(self, file: NamedFile) -> Change | None:
        content = read_regular(file.place, shown(file.path), self._selection.max_file_bytes)
        if self._show_progress and len(content) > _LARGE_BYTES:
            say(f"reading {shown(file.path)} ({len(content) / 2**20:.0f} MB)")
        digest = hashlib.sha256(f"{_READING} {self._cutting} {self._columns} {file.name}".encode())
        digest.update(content)
        source = Source(digest.hexdigest(), file.place.as_posix())
        if self._known.get(file.name) == source:
            self._n_unchanged += 1
            return None
        remarks = Remarks()
        # All of them first: a bad record costs its file, not the whole batch.
        records = list(
            records_of(content, file.name, self._cutting, remarks, columns=self._columns)
        )
        taken = self.claims.of(file, records)
        self._remarks[file.name] = remarks
        if file.name in self.claims.lost:
            source = source._replace(digest="")
        return Change(file.name, source, taken)


def _missing(files: tuple[str, Sequence[str]]) -> str:
    """Return in words which files need an extra that is not installed."""
    reason, names = files
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}: {reason}"
