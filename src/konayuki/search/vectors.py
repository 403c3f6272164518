"""The dense half: int8 vectors in files that only grow, mapped into memory by every reader."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from konayuki.arrays import BoolVector, ByteMatrix, FloatVector, Int8Matrix, IntVector
from konayuki.errors import IndexFormatError
from konayuki.search.append_only import EpochFiles, EpochState
from konayuki.search.scan import cosines, nearest, quantize
from konayuki.search.sketches import SketchBook

_BLOCK_BYTES = 1 << 24
_COPY_BELOW = 16  # a share of 1/16: copying so few rows is cheaper than passing over the others


@dataclass(frozen=True, kw_only=True)
class VectorState(EpochState):
    """What the files of the vectors hold.

    Attributes:
        dim: Columns of the vectors.
        count: Vectors that are valid.
    """

    dim: int
    count: int = 0

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the entries of each file."""
        return ("<i1", "<i8")

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of valid entries of each file."""
        return self.count * self.dim, self.count

    def check(self) -> None:
        """See `EpochState.check`."""
        # First: a string times a number from a file could fill the memory.
        if type(self.dim) is not int or self.dim < 1 or type(self.count) is not int:
            raise ValueError(f"dim is {self.dim!r}, count is {self.count!r}")
        super().check()


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


class VectorFiles(EpochFiles[VectorState]):
    """The files behind the views."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, VectorState, ("codes", "rows"), "vectors")
        self._sketches = SketchBook()

    def create(self, dim: int, *, index_id: int = 0, purged: int = 0) -> VectorState:
        """Start with no vectors, for documents whose dead were removed up to `purged`."""
        state = self.begin(VectorState(dim=dim, purged=purged, index_id=index_id))
        self.commit(state)
        return state

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
        written = self.write(state, (np.frombuffer(b"".join(codes), np.int8), rows))
        last_row = max([state.last_row, *rows[-1:]])
        return replace(written, count=state.count + len(rows), last_row=last_row)

    def compact(self, state: VectorState, dead: Iterable[int], generation: int) -> VectorState:
        """Write new files without the dead rows; the old ones go when the new are valid."""
        codes, rows, _ = self.entries(state)
        living = ~np.isin(rows, np.fromiter(dead, dtype=np.int64))
        new = self.begin(replace(state, count=0, purged=generation))
        step = max(1, _BLOCK_BYTES // state.dim)
        for start in range(0, state.count, step):
            part = living[start : start + step]
            written = self.write(
                new, (codes[start : start + step][part], rows[start : start + step][part])
            )
            new = replace(written, count=new.count + int(np.count_nonzero(part)))
        self.commit(new)
        self.collect_garbage(new)
        return new

    def entries(self, state: VectorState) -> tuple[Int8Matrix, IntVector, tuple[int, ...]]:
        """Return codes int8 (count, dim), rows int64 (count,), and what identifies the files."""
        (codes, rows), files = self.arrays(state)
        return codes.reshape(-1, state.dim), rows, files

    def view(self, state: VectorState, last_row: int, dead_rows: Sequence[int]) -> VectorView:
        """Return the vectors of the generation that ends with `last_row`."""
        codes, rows, files = self.entries(state)
        count = int(np.searchsorted(rows, last_row, side="right"))
        codes, rows = codes[:count], rows[:count]
        view = VectorView(codes, rows, sketches=partial(self._sketches.of, codes, files))
        dead = view.positions(np.asarray(dead_rows, dtype=np.int64))
        if not len(dead):
            return view
        alive = np.ones(count, dtype=np.bool_)
        alive[dead] = False
        return replace(view, alive=alive)
