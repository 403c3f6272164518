"""Which file an id belongs to if several files have it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from konayuki.ingest.names import NamedFile, is_there
from konayuki.ingest.records import Record
from konayuki.search.index import Index
from konayuki.search.notes import Source


class Claims:
    """The ids that the files of one update take.

    An id belongs to the file that had it first, as long as that file exists and has it.

    Attributes:
        taken: The file of every id that was taken in this update.
        lost: By file, the ids of rows that it did not get, by the file that has them.
    """

    def __init__(self, index: Index, known: Mapping[str, Source]) -> None:
        self.taken: dict[str, str] = {}
        self.lost: dict[str, dict[str, list[str]]] = {}
        self._index = index
        self._known = known
        self._read: set[str] = set()
        self._waiting: dict[NamedFile, list[str]] = {}
        self._keeping: dict[tuple[str, str], bool] = {}

    def of(self, file: NamedFile, records: Sequence[Record]) -> list[Record]:
        """Return the records whose ids the file gets, and take note of the others."""
        self._read.add(file.name)
        owners = self._owners(file, [record["id"] for record in records])
        lost: dict[str, str] = {}
        for record in records:
            if owner := owners.get(record["id"]):
                lost[_row(record)] = owner
        taken = [record for record in records if _row(record) not in lost]
        self.taken.update((record["id"], file.name) for record in taken)
        self._note(file, lost, list(owners))
        return taken

    def freed(self) -> list[NamedFile]:
        """Return the files that lost an id which another file had then and has no more."""
        waiting = self._waiting.items()
        return [file for file, ids in waiting if len(self._owners(file, ids)) < len(ids)]

    def _note(self, file: NamedFile, lost: Mapping[str, str], ids: list[str]) -> None:
        self.lost.pop(file.name, None)
        self._waiting.pop(file, None)
        if lost:
            self._waiting[file] = ids
            by_owner = self.lost[file.name] = {}
            for row, owner in lost.items():
                by_owner.setdefault(owner, []).append(row)

    def _owners(self, file: NamedFile, ids: Sequence[str]) -> dict[str, str]:
        """Return the other file of every id that has one."""
        owners = {}
        for identity, metadata in self._index.metadata_of(ids).items():
            owner = metadata.get("path")
            if isinstance(owner, str) and self._keeps(owner, file):
                owners[identity] = owner
        for identity in ids:
            taker = self.taken.get(identity)
            if taker is not None and taker != file.name:
                owners[identity] = taker
        return owners

    def _keeps(self, owner: str, file: NamedFile) -> bool:
        """Return whether a file from which the index has an id keeps it from another one."""
        # Of what was read in this update, `taken` speaks.
        if owner == file.name or owner in self._read or owner not in self._known:
            return False
        key = (owner, file.name)
        if key not in self._keeping:
            place = Path(self._known[owner].place or owner)
            # One file under two names may take its ids from itself.
            self._keeping[key] = is_there(place) and place.resolve() != file.place
        return self._keeping[key]


def _row(record: Record) -> str:
    """Return the id of the row that a record is, or was cut from."""
    row, identity = record.get("chunk_of"), record["id"]
    cut = row and identity == f"{row}#{record.get('position', 0)}"
    return str(row if cut else identity)
