"""The files of the dense half: int8 vectors of every stored passage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from konayuki.arrays import Int8Matrix, IntVector
from konayuki.errors import IndexFormatError
from konayuki.search.append_only import EpochFiles, EpochState
from konayuki.search.nearest import SketchBook, VectorView

_BLOCK_BYTES = 1 << 24


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
        if not dead_rows:
            return view
        alive = np.ones(count, dtype=np.bool_)
        alive[view.positions(np.asarray(dead_rows, dtype=np.int64))] = False
        return view if alive.all() else replace(view, alive=alive)
