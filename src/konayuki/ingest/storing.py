"""The passages of files into an index, with the note that says which files they are of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from konayuki.ingest.records import Record
from konayuki.search import Index, Source

# In one transaction: committing each file would cost more than reading it.
_BATCH_RECORDS = 2048
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
    """Store changes in one step; return how many passages went without coming back."""
    return index.replace(
        [record for change in batch for record in change.records],
        where={"path": [change.name for change in batch]},
        sources={change.name: change.source for change in batch},
    ).removed
