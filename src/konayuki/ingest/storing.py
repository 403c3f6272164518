"""The passages of files into an index, with the note that says which files they are of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from konayuki.ingest.records import Record
from konayuki.search.documents import Source
from konayuki.search.index import Index

_BATCH_RECORDS = 2048  # in one transaction: committing each file would cost more than reading it
_BATCH_CHARACTERS = 4_000_000
_BATCH_FILES = 500


@dataclass(frozen=True)
class Change:
    """What a file is in the index from now on.

    Attributes:
        name: Its name.
        source: Its note; None if the index forgets it.
        records: Its passages, in place of all that the index has of it.
    """

    name: str
    source: Source | None
    records: list[Record] = field(default_factory=list)


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Yield changes in batches, bounded in files, records and characters."""
    batch: list[Change] = []
    n_records = n_characters = 0
    for change in changes:
        batch.append(change)
        n_records += len(change.records)
        n_characters += sum(len(record["text"]) for record in change.records)
        if (
            n_records >= _BATCH_RECORDS
            or n_characters >= _BATCH_CHARACTERS
            or len(batch) >= _BATCH_FILES
        ):
            yield batch
            batch, n_records, n_characters = [], 0, 0
    if batch:
        yield batch


def store(index: Index, batch: list[Change]) -> int:
    """Store changes; return how many passages went and did not come back under the same id."""
    records = [record for change in batch for record in change.records]
    earlier: set[str] = set()
    for change in batch:
        earlier.update(index.ids({"path": change.name}))
    index.add(records)
    gone = earlier - {record["id"] for record in records}
    removed = index.delete(gone, chunks=False) if gone else 0
    index.remember_sources({change.name: change.source for change in batch})
    return removed
