"""Which file an id belongs to, where several files have it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from konayuki.ingest.readers import Record
from konayuki.search.documents import Source
from konayuki.search.index import Index


class Claims:
    """The ids that the files of one update take.

    An id belongs to the file that had it first, as long as that file is there and has it.

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
        self._waiting: dict[Path, list[str]] = {}
        self._keeping: dict[tuple[str, Path], bool] = {}

    def of(self, path: Path, records: Sequence[Record]) -> list[Record]:
        """Return the records whose ids the file gets, and take note of the others."""
        name = path.as_posix()
        self._read.add(name)
        owners = self._owners(path, [record["id"] for record in records])
        lost: dict[str, str] = {}
        for record in records:
            if owner := owners.get(record["id"]):
                lost[_row(record)] = owner
        kept = [record for record in records if _row(record) not in lost]
        self.taken.update((record["id"], name) for record in kept)
        self._note(path, lost, list(owners))
        return kept

    def freed(self) -> list[Path]:
        """Return the files that lost an id which another file had then and has no more."""
        waiting = self._waiting.items()
        return [path for path, ids in waiting if len(self._owners(path, ids)) < len(ids)]

    def _note(self, path: Path, lost: Mapping[str, str], ids: list[str]) -> None:
        self.lost.pop(path.as_posix(), None)
        self._waiting.pop(path, None)
        if lost:
            self._waiting[path] = ids
            by_owner = self.lost[path.as_posix()] = {}
            for row, owner in lost.items():
                by_owner.setdefault(owner, []).append(row)

    def _owners(self, path: Path, ids: Sequence[str]) -> dict[str, str]:
        """Return the other file of every id that has one."""
        owners = {}
        for identity, metadata in self._index.metadata_of(ids).items():
            owner = metadata.get("path")
            if isinstance(owner, str) and self._keeps(owner, path):
                owners[identity] = owner
        for identity in ids:
            taker = self.taken.get(identity)
            if taker is not None and taker != path.as_posix():
                owners[identity] = taker
        return owners

    def _keeps(self, owner: str, path: Path) -> bool:
        """Whether a file from which the index has an id keeps it from another one."""
        # Of what was read in this update, `taken` speaks.
        if owner == path.as_posix() or owner in self._read or owner not in self._known:
            return False
        key = (owner, path)
        if key not in self._keeping:
            place = Path(self._known[owner].place or owner)
            # One file under two names may take its ids from itself.
            self._keeping[key] = is_there(place) and place.resolve() != path.resolve()
        return self._keeping[key]


def is_there(path: Path) -> bool:
    """Whether there is something under a path, as far as can be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # no permission to look, say: then nothing must be thrown away
        return True
    return True


def _row(record: Record) -> str:
    """Return the id of the row that a record is, or was cut from."""
    row, identity = record.get("chunk_of"), record["id"]
    cut = row and identity == f"{row}#{record.get('position', 0)}"
    return str(row if cut else identity)
