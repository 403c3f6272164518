"""The dense half: int8 vectors in files that only grow, mapped into memory by every reader."""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from konayuki.arrays import BoolVector, ByteMatrix, FloatVector, Int8Matrix, IntVector
from konayuki.errors import IndexFormatError
from konayuki.files import (
    checksum_of,
    file_rights,
    folder_rights,
    open_regular,
    read_regular,
    replace_file,
)
from konayuki.search.epochs import EPOCH, LARGEST_EPOCH, free_epoch
from konayuki.search.failures import failure
from konayuki.search.scan import cosines, nearest, quantize
from konayuki.search.sketches import SketchBook

_STATE = "state.json"
_OURS = re.compile(rf"({EPOCH})\.(?:codes|rows)|\.state\.[0-9a-f]{{12}}\.partial\.json")
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
        index_id: The random number of the index; 0 in an index of format 1.
        commit: The random number of the commit that made the generation; 0 in format 1.
        epoch: Number in the names of the files; compaction starts a new one.
        checksums: CRC-32 of the valid bytes of codes and rows.
    """

    dim: int
    count: int = 0
    generation: int = 0
    purged: int = 0
    last_row: int = 0
    index_id: int = 0
    commit: int = 0
    epoch: int = 1
    checksums: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class VectorView:
    """The vectors of one generation; never changes.

    Attributes:
        codes: int8 (n, dim).
        rows: int64 (n,), ascending.
        alive: bool (n,), False for rows that are dead in this generation; None if all live.
        sketches: Gives the sketches of the codes, or None if searching goes without.
    """

    codes: Int8Matrix
    rows: IntVector
    alive: BoolVector | None = None
    sketches: Callable[[], ByteMatrix | None] = lambda: None

    def __len__(self) -> int:
        return len(self.rows) if self.alive is None else int(np.count_nonzero(self.alive))

    def nearest(
        self, query: FloatVector, k: int, among: IntVector | None = None
    ) -> tuple[IntVector, FloatVector]:
        """Return the rows nearest to a query and their cosines; rows of zeros are near to nothing.

        At least `k` of them if there are that many, and every row whose score ties with the last.

        Args:
            query: float32 (dim,).
            k: How many.
            among: int64, the rows that may be returned; default: all.
        """
        if among is None:
            return self._search(query, k, self.alive)
        positions = self.positions(among)
        if self.alive is not None:
            positions = positions[self.alive[positions]]
        if len(positions) * _COPY_BELOW < len(self.rows):
            return VectorView(self.codes[positions], self.rows[positions])._search(query, k, None)
        allowed = np.zeros(len(self.rows), dtype=np.bool_)
        allowed[positions] = True
        return self._search(query, k, allowed)

    def cosines(self, rows: IntVector, query: FloatVector) -> FloatVector:
        """Return the cosine of a query with each of these rows, which the view must hold."""
        return cosines(self.codes[np.searchsorted(self.rows, rows)], query)

    def living(self, rows: IntVector) -> BoolVector:
        """Return which of these rows live in this generation: bool (n,)."""
        positions = np.searchsorted(self.rows, rows)
        inside = positions < len(self.rows)
        positions = np.where(inside, positions, 0)
        if not len(self.rows):
            return inside
        living: BoolVector = inside & (self.rows[positions] == rows)
        return living if self.alive is None else living & self.alive[positions]

    def positions(self, rows: IntVector) -> IntVector:
        """Return the positions of those rows that the view holds."""
        positions = np.searchsorted(self.rows, rows)
        inside = positions < len(self.rows)
        positions, rows = positions[inside], rows[inside]
        held: IntVector = positions[self.rows[positions] == rows]
        return held

    def _search(
        self, query: FloatVector, k: int, allowed: BoolVector | None
    ) -> tuple[IntVector, FloatVector]:
        query_codes = quantize(query[None])[0]
        sketches = self.sketches()
        # The scan sees a rounded query: take more than k, so that exact scores decide the order.
        n_wanted = k + k // 2 + 32
        while True:
            positions, scores = nearest(self.codes, query_codes, n_wanted, allowed, sketches)
            exhausted, last = len(positions) < n_wanted, scores[-1:]
            # An empty text is near to nothing: its cosine of 0 must not beat those below.
            is_not_zero = self.codes[positions].any(axis=1)
            positions, scores = positions[is_not_zero], scores[is_not_zero]
            if exhausted or k == 0 or (len(scores) >= k and scores[k - 1] > last):
                return _best(self.rows[positions], cosines(self.codes[positions], query), k)
            n_wanted *= 4


def _best(rows: IntVector, scores: FloatVector, k: int) -> tuple[IntVector, FloatVector]:
    """Return the `k` best rows and those that tie with the last of them, best first."""
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    n_best = int(np.count_nonzero(scores >= scores[k - 1])) if 0 < k <= len(rows) else len(rows)
    return rows[:n_best], scores[:n_best]


class VectorFiles:
    """The files behind the views: `state.json` says how much of the others is valid.

    Nothing is synced to the disk: the checksums tell after a loss of power whether the vectors
    are whole, and if not, they are made again from the documents, which were synced.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sketches = SketchBook()

    def create(self, dim: int, *, index_id: int = 0, purged: int = 0) -> VectorState:
        """Start with no vectors, for documents whose dead were removed up to `purged`."""
        try:
            self.folder.mkdir(mode=folder_rights(self.folder.parent), exist_ok=True)
            if self.folder.is_symlink():
                raise IndexFormatError(f"{self.folder}: expected a folder, not a link")
            state = VectorState(dim=dim, purged=purged, index_id=index_id, epoch=self._free_epoch())
            self._create_files(state)
        except OSError as error:
            raise failure(self.folder, error) from error
        self.commit(state)
        return state

    def state(self) -> VectorState:
        """Return what the files hold.

        Raises:
            IndexFormatError: The state cannot be read.
        """
        path = self.folder / _STATE
        try:
            values = json.loads(read_regular(path))
            values["checksums"] = tuple(values["checksums"])
            state = VectorState(**values)
            numbers = [getattr(state, entry.name) for entry in fields(state)[:-1]]
            if any(type(number) is not int for number in (*numbers, *state.checksums)):
                raise ValueError("expected whole numbers")
            if min(state.dim, state.epoch) < 1 or min(numbers) < 0 or max(numbers) >= 2**63:
                raise ValueError("numbers out of range")
            if state.epoch > LARGEST_EPOCH:
                raise ValueError(f"epoch {state.epoch} is not one of ours")
            if len(state.checksums) != 2:
                raise ValueError("expected two checksums")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise IndexFormatError(f"{path}: {error}: expected the state of the vectors") from error
        return state

    def check(self, state: VectorState) -> None:
        """Compare the files with their checksums.

        Raises:
            IndexFormatError: They differ or are not regular files; the message names the file.
        """
        if self.folder.is_symlink():
            raise IndexFormatError(f"{self.folder}: expected a folder, not a link")
        sizes = (state.count * state.dim, state.count * 8)
        for path, size, expected in zip(self._paths(state), sizes, state.checksums, strict=True):
            try:
                checksum = checksum_of(path, size)
            except OSError as error:
                raise failure(path, error) from error
            if checksum != expected:
                raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")

    def append(
        self, state: VectorState, rows: Sequence[int], codes: Sequence[bytes]
    ) -> VectorState:
        """Write vectors behind the valid ones; `commit` makes them valid.

        Raises:
            IndexFormatError: A vector has not `dim` bytes, or a file is not a regular one.
            WriteError: The disk is full.
        """
        if any(len(code) != state.dim for code in codes):
            raise IndexFormatError(
                f"{self.folder}: a stored vector has other than {state.dim} bytes"
            )
        return self._write_behind(state, rows, b"".join(codes))

    def commit(self, state: VectorState) -> None:
        """Make everything up to this state valid."""
        content = json.dumps(asdict(state)).encode()
        try:
            replace_file(self.folder / _STATE, content, file_rights(self.folder), synced=False)
        except OSError as error:
            raise failure(self.folder, error) from error

    def compact(self, state: VectorState, dead: Iterable[int], generation: int) -> VectorState:
        """Write new files without the dead rows; the old ones go when the new are valid."""
        codes, rows, _ = self.arrays(state)
        living = ~np.isin(rows, np.fromiter(dead, dtype=np.int64))
        new = replace(state, count=0, epoch=self._free_epoch(), checksums=(0, 0))
        try:
            self._create_files(new)
        except OSError as error:
            raise failure(self.folder, error) from error
        step = max(1, _BLOCK_BYTES // state.dim)
        for start in range(0, state.count, step):
            chosen = living[start : start + step]
            block = codes[start : start + step][chosen].tobytes()
            new = self._write_behind(new, rows[start : start + step][chosen].tolist(), block)
        new = replace(new, last_row=state.last_row, purged=generation)
        self.commit(new)
        self.collect_garbage(new)
        return new

    def collect_garbage(self, state: VectorState) -> None:
        """Remove files of other epochs; foreign files stay.

        A system that keeps mapped files gets them next time.
        """
        current = {path.name for path in self._paths(state)}
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in current:
                with suppress(OSError):  # mapped by a reader on a system that forbids removal
                    path.unlink()

    def arrays(self, state: VectorState) -> tuple[Int8Matrix, IntVector, tuple[int, ...]]:
        """Return the valid codes and rows, mapped from disk, and what identifies the files.

        Returns:
            int8 (count, dim), int64 (count,), and numbers that no other files have at this time.
        """
        if state.count == 0:
            return np.empty((0, state.dim), np.int8), np.empty(0, np.int64), (state.epoch, 0, 0)
        codes_path, rows_path = self._paths(state)
        try:
            with os.fdopen(open_regular(codes_path), "rb") as file:
                # Of the file that is mapped: one of the same name may be another by now.
                status = os.fstat(file.fileno())
                codes = np.memmap(file, np.int8, "r", shape=(state.count, state.dim))
            with os.fdopen(open_regular(rows_path), "rb") as file:
                rows = np.memmap(file, "<i8", "r", shape=(state.count,))
        except (OSError, ValueError) as error:
            raise failure(codes_path, error) from error
        return np.asarray(codes), np.asarray(rows), (state.epoch, status.st_ino, status.st_dev)

    def view(self, state: VectorState, last_row: int, dead_rows: Sequence[int]) -> VectorView:
        """Return the vectors of the generation that ends with `last_row`."""
        codes, rows, files = self.arrays(state)
        count = int(np.searchsorted(rows, last_row, side="right"))
        codes, rows = codes[:count], rows[:count]
        # Rows of one epoch never change; files made again after a removal have another number.
        view = VectorView(codes, rows, sketches=partial(self._sketches.of, codes, files))
        dead = view.positions(np.asarray(dead_rows, dtype=np.int64))
        if not len(dead):
            return view
        alive = np.ones(count, dtype=np.bool_)
        alive[dead] = False
        return replace(view, alive=alive)

    def _write_behind(self, state: VectorState, rows: Sequence[int], codes: bytes) -> VectorState:
        parts = (codes, np.asarray(rows, dtype="<i8").tobytes())
        offsets = (state.count * state.dim, state.count * 8)
        for path, part, offset in zip(self._paths(state), parts, offsets, strict=True):
            try:
                with os.fdopen(open_regular(path, os.O_RDWR), "r+b") as file:
                    file.seek(offset)
                    file.write(part)
            except OSError as error:
                raise failure(path, error) from error
        return replace(
            state,
            count=state.count + len(rows),
            last_row=max([state.last_row, *rows[-1:]]),
            checksums=(
                zlib.crc32(parts[0], state.checksums[0]),
                zlib.crc32(parts[1], state.checksums[1]),
            ),
        )

    def _create_files(self, state: VectorState) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        for path in self._paths(state):
            os.close(open_regular(path, flags, file_rights(self.folder)))

    def _paths(self, state: VectorState) -> tuple[Path, Path]:
        return self.folder / f"{state.epoch}.codes", self.folder / f"{state.epoch}.rows"

    def _free_epoch(self) -> int:
        return free_epoch((path.name for path in self.folder.iterdir()), _OURS)
