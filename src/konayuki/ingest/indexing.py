"""Bring an index up to date with files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path

from konayuki.errors import FormatError, InputError, MissingExtraError, NotFoundError
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting
from konayuki.ingest.claims import Claims
from konayuki.ingest.columns import Columns
from konayuki.ingest.files_on_disk import read_regular, shown
from konayuki.ingest.looks import remember_look
from konayuki.ingest.moves import Moves, content_of, gone
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
from konayuki.progress import say, track_files
from konayuki.search.index import Index
from konayuki.search.notes import Source

# Higher whenever the same file gives other records or terms: an update then reads it again.
_READING = 5
_LARGE_BYTES = 16 << 20  # of which the reading is announced, as it takes seconds


def update(
    index: Index,
    paths: Sequence[str | Path],
    cutting: Cutting = DEFAULT_CUTTING,
    *,
    selection: Selection = DEFAULT_SELECTION,
    columns: Columns = DEFAULT_COLUMNS,
    prune: bool = False,
    only: Sequence[Path] | None = None,
    show_progress: bool = False,
) -> Summary:
    """Index the files under these paths; those that did not change since last time cost nothing.

    A file is known by its place, however its path is spelled; the index calls it by the path that
    it was first named with. Its passages, the removal of earlier ones and the note of the file are
    stored together, some files at a time. A new file with the content of one that is gone is that
    file under another name. What is gone from a folder that is named goes from the index too,
    unless the folder is empty now, as that of a disk that is not mounted.

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
        only: Look only at what lies at these absolute places below the paths; default: everything.
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
    files = list(placed_files(roots, selection, left_out, only))
    update = _Update(index, set(roots), cutting, selection, columns, show_progress=show_progress)
    with index.bulk():
        update.read_all(files)
        if prune:
            update.prune(roots)
        update.drop_gone(roots, only, {file.place.as_posix() for file in files})
        update.remember_stamps()
    summary = update.summary(left_out)
    if only is None and roots:
        remember_look(index, roots, summary)
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
        self._moves = Moves(self._known)
        self._reading = hashlib.sha256(f"{_READING} {cutting} {columns}".encode()).hexdigest()[:16]
        self._index = index
        self._named = named
        self._cutting = cutting
        self._selection = selection
        self._columns = columns
        self._show_progress = show_progress
        self._remarks: dict[str, Remarks] = {}
        self._skipped: list[str] = []
        self._unreadable: dict[str, list[str]] = {}  # files, by the extra that is missing
        self._stamps: dict[str, Source | None] = {}  # of files that were touched, not changed
        self._dropped: set[str] = set()
        self._kept: list[str] = []
        self._n_unchanged = 0
        self._n_removed = 0
        self._n_moved = 0  # passages
        self._n_gone = 0  # files

    def prune(self, roots: Sequence[Path]) -> None:
        """Remove the passages of files that do not exist any more."""
        # An interrupted run of an earlier version left passages without a note of their file.
        paths = [path for path in self._index.values("path") if isinstance(path, str)]
        names = dict.fromkeys([*self._known, *paths])
        left = (name for name in names if name not in self._dropped)
        self._drop([name for name in left if is_gone(name, self._known.get(name), roots)])

    def read_all(self, files: Sequence[File]) -> None:
        """Bring the index up to date with all files, and with ids that this has set free."""
        sizes = [file.size for file in files]
        self.read(track_files(files, "index", sizes, enabled=self._show_progress))
        self.read(self.claims.freed())

    def drop_gone(self, roots: Sequence[Path], only: Sequence[Path] | None, seen: Set[str]) -> None:
        """Remove the passages of files that have gone and were not moved.

        All of a folder is kept if no file is left in it.

        Args:
            roots: The files and folders that were named.
            only: The places that were looked at, if it was not everything below the roots.
            seen: Places of files that are there.
        """
        guarded = only is None
        places = [path.resolve() for path in roots] if only is None else only
        for folder, names in gone(self._known, places, seen).items():
            left = [name for name in names if name not in self._dropped]
            prefix = f"{folder.rstrip('/')}/"
            if left and guarded and not any(place.startswith(prefix) for place in seen):
                self._kept.append(
                    f"{shown(folder)}: no file is left of {len(left)}: their passages stay\n"
                    "hint: --prune removes them, if it is not a disk that is not mounted"
                )
            else:
                self._drop(left)

    def _drop(self, names: Sequence[str]) -> None:
        self._dropped.update(names)
        self._n_gone += sum(name in self._known for name in names)
        self._store(Change(name, None) for name in names)

    def remember_stamps(self) -> None:
        """Note when files were last touched, so that they need not be read next time."""
        if self._stamps:
            self._index.remember_sources(self._stamps)

    def read(self, files: Iterable[File | NamedFile]) -> None:
        """Bring the index up to date with files."""
        self._store(change for file in files for change in self._changes(file))

    def summary(self, left_out: LeftOut) -> Summary:
        """Return what was done, in numbers.

        Args:
            left_out: What was not read.
        """
        summary = Summary(
            files=len(self._remarks) + self._n_unchanged,
            unchanged=self._n_unchanged,
            passages=len(self.claims.taken),
            removed=self._n_removed - self._n_moved,
            moved=dict(self._moves.names),
            gone=self._n_gone,
            warnings=list(self._kept),
            ignored=dict(sorted(Counter(path.suffix for path in left_out.others).items())),
            left_out=dict(sorted(left_out.by_reason.items())),
            skipped=[
                *left_out.errors,
                *self._skipped,
                *map(_missing, self._unreadable.items()),
            ],
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
        if change is None:
            return
        if old := self._former_name(change):
            yield Change(old, None)
        yield change

    def _former_name(self, change: Change) -> str:
        """Return the name that a file had before it was moved, or ""."""
        if change.name in self._known or change.source is None or not change.records:
            return ""
        old = self._moves.take(change.name, content_of(change.source.digest))
        if old:
            self._dropped.add(old)
            # Those that another file has now do not count as removed.
            old_ids = set(self._index.ids({"path": old}))
            self._n_moved += len(old_ids - self.claims.taken.keys())
        return old

    def _change(self, file: NamedFile) -> Change | None:
        known = self._known.get(file.name)
        if known and file.stamp and known.stamp == file.stamp and self._is_read(known):
            self._n_unchanged += 1
            return None
        content = read_regular(file.place, shown(file.path), self._selection.max_file_bytes)
        if self._show_progress and len(content) > _LARGE_BYTES:
            say(f"reading {shown(file.path)} ({len(content) / 2**20:.0f} MB)")
        digest = f"{hashlib.sha256(content).hexdigest()}.{self._reading}"
        source = Source(digest, file.place.as_posix(), file.stamp)
        if known and known._replace(stamp=source.stamp) == source:
            if known != source:
                self._stamps[file.name] = source
            self._n_unchanged += 1
            return None
        remarks = Remarks()
        # All of them first: a bad record costs its file, not the whole batch.
        records = list(
            records_of(
                content,
                file.name,
                self._cutting,
                remarks,
                columns=self._columns,
                words=file.words,
            )
        )
        taken = self.claims.of(file, records)
        self._remarks[file.name] = remarks
        if file.name in self.claims.lost:
            source = source._replace(digest=f"{content_of(digest)}.")  # to be read again
        return Change(file.name, source, taken)

    def _is_read(self, known: Source) -> bool:
        """Return whether a file was read as it would be now."""
        return known.digest.endswith(f".{self._reading}")


def _missing(files: tuple[str, Sequence[str]]) -> str:
    """Return in words which files need an extra that is not installed."""
    reason, names = files
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}: {reason}"
