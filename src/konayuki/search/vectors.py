"""The dense half: int8 vectors in files that only grow, mapped into memory by every reader."""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import IndexFormatError
from konayuki.files import replace_file
from konayuki.search.scan import Codes, cosines, nearest, quantize
from konayuki.search.sketches import SketchBook, Sketches

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]
_STATE = "state.json"
_BLOCK_BYTES = 1 << 24
_COPY_BELOW = 16  # a share of 1/16: copying so few rows is cheaper than passing over the others


@dataclass(frozen=True)
class VectorState:
    """What the files hold: vectors of every row up to `last_row` that was not purged.

    Attributes:
        dim: Columns of the vectors.
        count: Vectors that are valid; bytes behind them belong to a write that did not finish.
        generation: The generation of the documents that they cover.
        purged: The generation up to which dead rows were left out.
        last_row: The highest row that was taken in.
        epoch: Number in the names of the files; compaction starts a new one.
        checksums: CRC-32 of the valid bytes of codes and rows.
    """

    dim: int
    count: int = 0
    generation: int = 0
    purged: int = 0
    last_row: int = 0
    epoch: int = 1
    checksums: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class VectorView:
    """The vectors of one generation; never changes.

    Attributes:
        codes: int8 (n, dim).
        rows: int64 (n,), ascending.
        alive: bool (n,), False for rows that are dead in this generation; None where all live.
        sketches: Gives the sketches of the codes, or None where searching goes without.
    """

    codes: Codes
    rows: Rows
    alive: NDArray[np.bool_] | None = None
    sketches: Callable[[], Sketches | None] = lambda: None

    def __len__(self) -> int:
        return len(self.rows) if self.alive is None else int(np.count_nonzero(self.alive))

    def nearest(
        self, query: NDArray[np.float32], k: int, among: Rows | None = None
    ) -> tuple[Rows, Scores]:
        """Return the rows nearest to a query and their cosines; rows of zeros are near to nothing.

        At least `k` of them where there are as many, and every row whose score ties with the last.

        Args:
            query: float32 (dim,).
            k: How many.
            among: int64, the rows that may be returned; all unless given.
        """
        if among is None:
            return self._search(query, k, self.alive)
        places = self.places(among)
        if self.alive is not None:
            places = places[self.alive[places]]
        if len(places) * _COPY_BELOW < len(self.rows):
            return VectorView(self.codes[places], self.rows[places])._search(query, k, None)
        allowed = np.zeros(len(self.rows), dtype=np.bool_)
        allowed[places] = True
        return self._search(query, k, allowed)

    def cosines(self, rows: Rows, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of a query with each of these rows, which the view must hold."""
        return cosines(self.codes[np.searchsorted(self.rows, rows)], query)

    def living(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which of these rows live in this generation: bool (n,)."""
        places = np.searchsorted(self.rows, rows)
        inside = places < len(self.rows)
        places = np.where(inside, places, 0)
        if not len(self.rows):
            return inside
        living: NDArray[np.bool_] = inside & (self.rows[places] == rows)
        return living if self.alive is None else living & self.alive[places]

    def places(self, rows: Rows) -> NDArray[np.int64]:
        """Return the places of those rows that the view holds."""
        places = np.searchsorted(self.rows, rows)
        inside = places < len(self.rows)
        places, rows = places[inside], rows[inside]
        held: NDArray[np.int64] = places[self.rows[places] == rows]
        return held

    def _search(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[Rows, Scores]:
        query_codes = quantize(query[None])[0]
        sketches = self.sketches()
        # The scan sees a rounded query: take more than k, so that exact scores decide the order.
        n_wanted = k + k // 2 + 32
        while True:
            places, scores = nearest(self.codes, query_codes, n_wanted, allowed, sketches)
            exhausted, last = len(places) < n_wanted, scores[-1:]
            # An empty text is near to nothing: its cosine of 0 must not beat those below.
            meant = self.codes[places].any(axis=1)
            places, scores = places[meant], scores[meant]
            if exhausted or k == 0 or (len(scores) >= k and scores[k - 1] > last):
                return _best(self.rows[places], cosines(self.codes[places], query), k)
            n_wanted *= 4


def _best(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Return the `k` best rows and those that tie with the last of them, best first."""
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    n_best = int(np.count_nonzero(scores >= scores[k - 1])) if 0 < k <= len(rows) else len(rows)
    return rows[:n_best], scores[:n_best]


class VectorFiles:
    """The files behind the views: `state.json` says how much of the others is valid."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sketches = SketchBook()

    def create(self, dim: int, *, purged: int = 0) -> VectorState:
        """Start with no vectors, for documents whose dead were removed up to `purged`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = VectorState(dim=dim, purged=purged, epoch=self._free_epoch())
        for path in self._paths(state):
            path.write_bytes(b"")
        self._write_state(state)
        return state

    def state(self) -> VectorState:
        """Return what the files hold.

        Raises:
            IndexFormatError: The state does not read.
        """
        path = self.folder / _STATE
        try:
            fields = json.loads(path.read_text("utf-8"))
            fields["checksums"] = tuple(fields["checksums"])
            state = VectorState(**fields)
            if min(state.dim, state.epoch) < 1 or min(state.count, state.last_row) < 0:
                raise ValueError("numbers out of range")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise IndexFormatError(f"{path}: {error}: expected the state of the vectors") from error
        return state

    def check(self, state: VectorState) -> None:
        """Compare the files with their checksums.

        Raises:
            IndexFormatError: They differ; the message names the file.
        """
        sizes = (state.count * state.dim, state.count * 8)
        for path, size, expected in zip(self._paths(state), sizes, state.checksums, strict=True):
            try:
                found = _checksum(path, size)
            except OSError as error:
                raise IndexFormatError(f"{path}: {error}") from error
            if found != expected:
                raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")

    def append(
        self, state: VectorState, rows: Sequence[int], codes: Sequence[bytes]
    ) -> VectorState:
        """Write vectors behind the valid ones; `commit` makes them valid."""
        parts = (b"".join(codes), np.asarray(rows, dtype="<i8").tobytes())
        offsets = (state.count * state.dim, state.count * 8)
        for path, part, offset in zip(self._paths(state), parts, offsets, strict=True):
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(part)
        return replace(
            state,
            count=state.count + len(rows),
            last_row=max([state.last_row, *rows[-1:]]),
            checksums=(
                zlib.crc32(parts[0], state.checksums[0]),
                zlib.crc32(parts[1], state.checksums[1]),
            ),
        )

    def commit(self, state: VectorState) -> None:
        """Make everything up to this state valid, also after a loss of power."""
        for path in self._paths(state):
            with path.open("rb") as file:
                os.fsync(file.fileno())
        self._write_state(state)

    def compact(self, state: VectorState, dead: Iterable[int], generation: int) -> VectorState:
        """Write new files without the dead rows; the old ones go when the new are valid."""
        codes, rows = self.arrays(state)
        kept = ~np.isin(rows, np.fromiter(dead, dtype=np.int64))
        new = replace(state, count=0, epoch=self._free_epoch(), checksums=(0, 0))
        for path in self._paths(new):
            path.write_bytes(b"")
        step = max(1, _BLOCK_BYTES // state.dim)
        for start in range(0, state.count, step):
            chosen = kept[start : start + step]
            block = codes[start : start + step][chosen].tobytes()
            new = self.append(new, rows[start : start + step][chosen].tolist(), [block])
        new = replace(new, last_row=state.last_row, purged=generation)
        self.commit(new)
        self.sweep(new)
        return new

    def sweep(self, state: VectorState) -> None:
        """Remove files of other epochs; a system that keeps mapped files gets them next time."""
        current = {path.name for path in self._paths(state)} | {_STATE}
        for path in self.folder.iterdir():
            if path.name not in current:
                try:
                    path.unlink()
                except OSError:  # mapped by a reader on a system that forbids removal
                    continue

    def arrays(self, state: VectorState) -> tuple[Codes, Rows]:
        """Return the valid codes, int8 (count, dim), and rows, int64 (count,), mapped from disk."""
        if state.count == 0:
            return np.empty((0, state.dim), dtype=np.int8), np.empty(0, dtype=np.int64)
        codes_path, rows_path = self._paths(state)
        try:
            codes = np.memmap(codes_path, np.int8, "r", shape=(state.count, state.dim))
            rows = np.memmap(rows_path, "<i8", "r", shape=(state.count,))
        except (OSError, ValueError) as error:
            raise IndexFormatError(f"{codes_path}: {error}") from error
        return np.asarray(codes), np.asarray(rows)

    def view(self, state: VectorState, last_row: int, dead_rows: Sequence[int]) -> VectorView:
        """Return the vectors of the generation that ends with `last_row`."""
        codes, rows = self.arrays(state)
        # Rows of one epoch never change; files made anew after a removal have another number.
        files = (state.epoch, self._paths(state)[0].stat().st_ino)
        count = int(np.searchsorted(rows, last_row, side="right"))
        codes, rows = codes[:count], rows[:count]
        view = VectorView(codes, rows, sketches=partial(self._sketches.of, codes, files))
        dead = view.places(np.asarray(dead_rows, dtype=np.int64))
        if not len(dead):
            return view
        alive = np.ones(count, dtype=np.bool_)
        alive[dead] = False
        return replace(view, alive=alive)

    def _paths(self, state: VectorState) -> tuple[Path, Path]:
        return self.folder / f"{state.epoch}.codes", self.folder / f"{state.epoch}.rows"

    def _free_epoch(self) -> int:
        stems = (path.stem for path in self.folder.glob("*.codes"))
        return max((int(stem) for stem in stems if stem.isdecimal()), default=0) + 1

    def _write_state(self, state: VectorState) -> None:
        replace_file(self.folder / _STATE, json.dumps(asdict(state)).encode())


def _checksum(path: Path, size: int) -> int | None:
    """Return the CRC-32 of the first `size` bytes, None where the file is shorter."""
    checksum = 0
    with path.open("rb") as file:
        while size:
            block = file.read(min(size, _BLOCK_BYTES))
            if not block:
                return None
            checksum = zlib.crc32(block, checksum)
            size -= len(block)
    return checksum
