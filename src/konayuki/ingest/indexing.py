"""Bring an index up to date with files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from konayuki.errors import FormatError, NotFoundError
from konayuki.files import read_bytes
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting
from konayuki.ingest.claims import Claims, is_there
from konayuki.ingest.readers import Record, Remarks, find_files, read_records
from konayuki.progress import track
from konayuki.search.documents import Source
from konayuki.search.index import Index

# Higher whenever the same file gives other records or terms: an update then reads it again.
_READING = 2


@dataclass
class Summary:
    """What an update did.

    Attributes:
        files: Files that were read or had not changed.
        unchanged: How many of them had not changed.
        passages: Passages that were taken in.
        removed: Passages that were removed.
        empty: Rows of tables and JSON Lines without text and title, which were left out.
        ignored: Numbers of files in folders that are of other kinds than are read, by suffix.
        skipped: Files in folders that could not be read, with reasons.
        warnings: What was changed or left out in files that were read.
    """

    files: int = 0
    unchanged: int = 0
    passages: int = 0
    removed: int = 0
    empty: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, name: str, remarks: Remarks) -> None:
        """Take in what the reader of a file has to say."""
        self.empty += remarks.n_empty
        if remarks.n_paths:
            self.warnings.append(
                f"{name}: 'path' of {remarks.n_paths} rows gave way to the path of the file"
            )
        if remarks.repeated:
            self.warnings.append(
                f"{name}: {named(remarks.repeated)} more than once: the last row counts"
            )


def named(ids: Sequence[str]) -> str:
    """Return ids in words, three of them at most."""
    shown = ", ".join(map(repr, ids[:3]))
    if len(ids) > 3:
        return f"{len(ids)} ids ({shown}, …)"
    return f"id {shown}" if len(ids) == 1 else f"ids {shown}"


def update(
    index: Index,
    paths: Sequence[Path],
    cutting: Cutting = DEFAULT_CUTTING,
    *,
    prune: bool = False,
    show_progress: bool = False,
) -> Summary:
    """Index the files under these paths; those that did not change since last time cost nothing.

    An id belongs to the file that had it first, as long as this file is there and has it: rows of
    other files with the same id are left out with a warning, and read again once it is free.

    Args:
        index: Where the passages go.
        paths: Files and folders.
        cutting: How documents are cut.
        prune: Also remove the passages of every indexed file that is not on disk any more, whether
            or not it lay under these paths.
        show_progress: Draw a bar where stderr is a terminal.

    Raises:
        NotFoundError: A path is not there.
        FormatError: A file that was named itself cannot be read. Such a file inside a folder is
            skipped, and the summary names it.
    """
    others: list[Path] = []
    files = list(find_files(paths, others))
    known = index.sources()
    gone = {name for name, source in known.items() if prune and _is_gone(name, source, paths)}
    reading = _Reading(index, set(paths), cutting, known)
    reading.remove(identity for name in gone for identity in index.ids({"path": name}))
    tracked = track(files, "index", total=len(files), unit=" files", enabled=show_progress)
    reading.read(tracked)
    reading.read(reading.claims.freed())
    index.remember_sources({**reading.sources, **dict.fromkeys(gone)})
    summary = reading.summary()
    summary.ignored = dict(sorted(Counter(path.suffix for path in others).items()))
    return summary


def _is_gone(name: str, source: Source, roots: Sequence[Path]) -> bool:
    """Whether a file that was indexed is not there any more.

    A relative path may have been meant from another working folder than ours.
    """
    path = Path(name)
    named = path.is_absolute() or any(path.is_relative_to(root) for root in roots)
    if not source.place and not named:
        return False  # of an earlier version, which did not note where it lay
    return not is_there(path) and not is_there(Path(source.place or name))


class _Reading:
    """The state of one update while its records stream into the index."""

    def __init__(
        self, index: Index, named: set[Path], cutting: Cutting, known: dict[str, Source]
    ) -> None:
        self.claims = Claims(index, known)
        self.sources: dict[str, Source] = {}
        self._index = index
        self._named = named
        self._cutting = cutting
        self._known = known
        self._stale: set[str] = set()
        self._remarks: dict[str, Remarks] = {}
        self._skipped: list[str] = []
        self._n_unchanged = 0
        self._n_removed = 0

    def read(self, files: Iterable[Path]) -> None:
        """Bring the index up to date with files."""
        # One stream for all files: committing after each would cost more than reading it.
        self._index.add(self._records(files))
        # A record may have moved to another file.
        self.remove(self._stale - self.claims.taken.keys())
        self._stale.clear()

    def remove(self, ids: Iterable[str]) -> None:
        """Remove passages."""
        if stale := set(ids):
            self._n_removed += self._index.delete(stale, chunks=False)

    def summary(self) -> Summary:
        """Return what was done, in numbers."""
        summary = Summary(
            files=len(self._remarks) + self._n_unchanged,
            unchanged=self._n_unchanged,
            passages=len(self.claims.taken),
            removed=self._n_removed,
            skipped=self._skipped,
        )
        for name, remarks in self._remarks.items():
            summary.take(name, remarks)
            for owner, ids in self.claims.lost.get(name, {}).items():
                which = "it" if len(ids) == 1 else "them"
                warning = f"{name}: {named(ids)} left out: {owner} had {which} first"
                summary.warnings.append(warning)
        return summary

    def _records(self, files: Iterable[Path]) -> Iterator[Record]:
        """Yield the records of changed files, noting what they replace."""
        for path in files:
            try:
                yield from self._changed(path)
            except (FormatError, NotFoundError) as error:
                if path in self._named:
                    raise
                self._skipped.append(str(error))

    def _changed(self, path: Path) -> list[Record]:
        name = path.as_posix()
        content = read_bytes(path)
        digest = hashlib.sha256(f"{_READING} {self._cutting}".encode() + content).hexdigest()
        source = Source(digest, path.absolute().as_posix())
        if self._known.get(name, Source("")).digest == digest:
            self._n_unchanged += 1
            if self._known[name] != source:
                self.sources[name] = source
            return []
        remarks = Remarks()
        # All of them first: a bad record costs its file, not the whole stream.
        records = self.claims.of(path, list(read_records(path, self._cutting, remarks)))
        self._remarks[name] = remarks
        self._stale.update(set(self._index.ids({"path": name})) - {r["id"] for r in records})
        self.sources[name] = source._replace(digest="") if name in self.claims.lost else source
        return records
