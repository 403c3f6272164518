"""Bring an index up to date with files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from konayuki.errors import FormatError, NotFoundError
from konayuki.progress import track
from konayuki.search.chunker import DEFAULT_CUTTING, Cutting
from konayuki.search.index import Index
from konayuki.search.readers import Record, Remarks, find_files, read_records

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
    return f"id {shown}" if len(ids) == 1 else f"ids {shown}{'' if len(ids) < 4 else ', …'}"


def update(
    index: Index,
    paths: Sequence[Path],
    cutting: Cutting = DEFAULT_CUTTING,
    *,
    prune: bool = False,
    show_progress: bool = False,
) -> Summary:
    """Index the files under these paths; those that did not change since last time cost nothing.

    Args:
        index: Where the passages go.
        paths: Files and folders.
        cutting: How documents are cut.
        prune: Also remove the passages of files that were indexed earlier and are not there now.
        show_progress: Draw a bar where stderr is a terminal.

    Raises:
        NotFoundError: A path is not there.
        FormatError: A file that was named itself cannot be read. Such a file inside a folder is
            skipped, and the summary names it.
    """
    others: list[Path] = []
    files = list(find_files(paths, others))
    reading = _Reading(index, set(paths), cutting, index.sources())
    reading.summary.ignored = dict(sorted(Counter(path.suffix for path in others).items()))
    tracked = track(files, "index", total=len(files), unit=" files", enabled=show_progress)
    # One stream for all files: committing after each would cost more than reading it.
    reading.summary.passages = index.add(reading.records(tracked))
    gone = reading.known.keys() - {path.as_posix() for path in files} if prune else set()
    for name in gone:
        reading.stale.update(index.ids({"path": name}))
    if reading.stale:
        reading.summary.removed = index.delete(reading.stale, chunks=False)
    index.remember_sources({**reading.digests, **dict.fromkeys(gone)})
    return reading.summary


class _Reading:
    """The state of one update while its records stream into the index."""

    def __init__(
        self, index: Index, named: set[Path], cutting: Cutting, known: dict[str, str]
    ) -> None:
        self.known = known
        self.summary = Summary()
        self.stale: set[str] = set()
        self.digests: dict[str, str] = {}
        self._index = index
        self._named = named
        self._cutting = cutting

    def records(self, files: Iterable[Path]) -> Iterator[Record]:
        """Yield the records of changed files, noting what they replace."""
        for path in files:
            try:
                yield from self._changed(path)
            except (FormatError, NotFoundError) as error:
                if path in self._named:
                    raise
                self.summary.skipped.append(str(error))

    def _changed(self, path: Path) -> list[Record]:
        name = path.as_posix()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
        digest = hashlib.sha256(f"{_READING} {self._cutting}".encode() + content).hexdigest()
        if self.known.get(name) == digest:
            self.summary.files += 1
            self.summary.unchanged += 1
            return []
        remarks = Remarks()
        # All of them first: a bad record costs its file, not the whole stream.
        records = list(read_records(path, self._cutting, remarks))
        self.summary.take(name, remarks)
        self.summary.files += 1
        self.stale.update(set(self._index.ids({"path": name})) - {r["id"] for r in records})
        self.digests[name] = digest
        return records
