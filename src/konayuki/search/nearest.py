"""The dense half at one generation: rows near to a question, by cosines of int8 vectors.

The kernel scans all vectors, or their sketches first; NumPy does the same without it.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import (
    BoolVector,
    ByteMatrix,
    FloatVector,
    Int8Matrix,
    Int8Vector,
    IntVector,
    top_k,
)
from konayuki.model.dtypes import quantize_vectors
from konayuki.model.native import Scanner, kernel

# Candidates by sketch beyond twice the wanted rows: a search for 10 then misses none of 2,000, one
# for 100 misses 0.4 % (200 questions, 100,000 and 1,000,000 vectors).
_MORE_CANDIDATES = 100
# Rows that NumPy takes at a time: 8 MB as float32 of 512 columns, which stays near the processor.
_BLOCK_ROWS = 4096
# The sum of up to this many products of int8 is below 2**24: float32 adds them exactly in any
# order.
_EXACT_COLUMNS = 2**24 // 128**2
_COPY_BELOW = 16  # a share of 1/16: copying so few rows is cheaper than passing over the others
PAYS_FROM = 20_000  # vectors: below, looking at all of them costs a third of a millisecond
_ROOM = 8  # a full buffer grows by 1/8


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
        query_codes = quantize_vectors(query, "int8")
        sketches = self.sketches()
        # The scan sees a rounded query: take more than k, so that exact scores decide the order.
        n_wanted = k + k // 2 + 32
        while True:
            positions, scores = nearest(self.codes, query_codes, n_wanted, allowed, sketches)
            exhausted, last = len(positions) < n_wanted, scores[-1:]
            # An empty text is near to nothing: its cosine of 0 must not beat those below.
            codes = self.codes[positions]
            is_not_zero = codes.any(axis=1)
            if not is_not_zero.all():
                positions, scores = positions[is_not_zero], scores[is_not_zero]
                codes = codes[is_not_zero]
            if exhausted or k == 0 or (len(scores) >= k and scores[k - 1] > last):
                return _best(self.rows[positions], cosines(codes, query), k)
            n_wanted *= 4


def _best(rows: IntVector, scores: FloatVector, k: int) -> tuple[IntVector, FloatVector]:
    """Return the `k` best rows and those that tie with the last of them, best first."""
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    n_best = int(np.count_nonzero(scores >= scores[k - 1])) if 0 < k <= len(rows) else len(rows)
    return rows[:n_best], scores[:n_best]


def nearest(
    codes: Int8Matrix,
    query: Int8Vector,
    n_best: int,
    allowed: BoolVector | None = None,
    sketches: NDArray[np.uint8] | None = None,
) -> tuple[IntVector, FloatVector]:
    """Return the rows nearest to a query and their cosines, nearest first.

    Of equal cosines the smaller row comes first. A zero row or a zero query has cosine 0. With and
    without the kernel the cosines are the same to the last bit.

    Args:
        codes: The vectors, int8 (n, dim).
        query: The query, int8 (dim,).
        n_best: How many rows; fewer are returned if fewer exist or are allowed.
        allowed: The rows to consider, bool (n,). Default: all.
        sketches: The sketch of every row, for the kernel: it then compares only the rows whose
            sketches look best, and may miss a few (see `_MORE_CANDIDATES`). If many rows are
            wanted, they are found without sketches, exactly.

    Returns:
        int64 and float32, both (n_found,).
    """
    if n_best == 0 or len(codes) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    compiled = kernel()
    if compiled is None:
        return _nearest_in_numpy(codes, query, n_best, allowed)
    scanner = Scanner(compiled)
    n_candidates = 2 * n_best + _MORE_CANDIDATES
    if sketches is None or 4 * n_candidates > len(codes):
        return scanner.nearest(codes, query, n_best, allowed=allowed)
    candidates = scanner.nearest_by_sketch(sketches, query, n_candidates, allowed=allowed)
    rows, scores = scanner.score(codes, query, candidates)
    return rows[:n_best], scores[:n_best]


def _nearest_in_numpy(
    codes: Int8Matrix, query: Int8Vector, n_best: int, allowed: BoolVector | None
) -> tuple[IntVector, FloatVector]:
    """Return what the kernel returns: the best of each block join the best of those before it."""
    rows = np.empty(0, np.int64)
    scores = np.empty(0, np.float32)
    for start in range(0, len(codes), _BLOCK_ROWS):
        block = codes[start : start + _BLOCK_ROWS]
        block_rows = np.arange(start, start + len(block))
        if allowed is not None:
            mask = allowed[start : start + _BLOCK_ROWS]
            block, block_rows = block[mask], block_rows[mask]
        rows = np.concatenate([rows, block_rows])
        scores = np.concatenate([scores, _exact_cosines(block, query)])
        columns, best = top_k(scores[np.newaxis], n_best)  # rows ascend, so ties keep their order
        order = np.sort(columns[0])
        if start + _BLOCK_ROWS < len(codes):
            rows, scores = rows[order], scores[order]
        else:
            rows, scores = rows[columns[0]], best[0]
    return rows, scores


def _exact_cosines(codes: Int8Matrix, query: Int8Vector) -> FloatVector:
    """Return the cosine of each row, float32 (n,), rounded as the kernel rounds it."""
    exact = np.dtype(np.float32 if codes.shape[1] <= _EXACT_COLUMNS else np.float64)
    rows: NDArray[Any] = codes.astype(exact)
    direction: NDArray[Any] = query.astype(exact)
    dots = (rows @ direction).astype(np.float32)
    squares = np.einsum("nd,nd->n", rows, rows).astype(np.float32)
    lengths = np.sqrt(squares) * np.sqrt(np.float32(direction @ direction))
    lengths[lengths == 0] = 1  # 0 / 0 would put NaN into every score
    cosines: FloatVector = dots / lengths
    return cosines


def cosines(codes: Int8Matrix, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of a float query with a few int8 rows.

    Args:
        codes: The rows, int8 (n, dim).
        query: The query, float32 (dim,).

    Returns:
        float32 (n,); a zero row or a zero query gives 0.
    """
    rows = codes.astype(np.float32)
    # einsum, not BLAS: a row's product must not depend on the rows next to it, or ties would break.
    products = np.einsum("nd,d->n", rows, query)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows)) * np.sqrt(np.einsum("d,d->", query, query))
    result: NDArray[np.float32] = np.divide(
        products, lengths, out=np.zeros_like(products), where=lengths > 0
    )
    return result


class SketchBook:
    """The sketches of vectors that only grow: two bits for every entry, a quarter of the reading.

    They are made in memory when a search first wants them, and lent to every view. A file of them
    would have to be checked at opening, which takes as long as making them, and could be at odds
    with the vectors.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._files: Hashable = None
        self._buffer = np.empty((0, 0), np.uint8)
        self._count = 0

    def of(self, codes: Int8Matrix, files: Hashable) -> ByteMatrix | None:
        """Return the sketch of every vector: uint8 (n, bytes); None if sketches do not pay.

        Args:
            codes: int8 (n, dim).
            files: Identifies the files of the vectors. As long as it is equal, longer `codes` begin
                with what shorter ones held.
        """
        compiled = kernel()
        if compiled is None or len(codes) < PAYS_FROM:
            return None
        with self._guard:
            if files != self._files:
                self._files, self._count = files, 0
            if self._count < len(codes):
                self._take(Scanner(compiled).sketches(codes[self._count :]), len(codes))
            return self._buffer[: len(codes)]

    def _take(self, sketches: ByteMatrix, count: int) -> None:
        """Put sketches behind the others; views keep the buffer that they were lent."""
        known = self._buffer[: self._count]
        if count > len(self._buffer) or sketches.shape[1:] != known.shape[1:] or not len(known):
            self._buffer = np.empty((count + count // _ROOM, sketches.shape[1]), np.uint8)
            if len(known):
                self._buffer[: len(known)] = known
        self._buffer[count - len(sketches) : count] = sketches
        self._count = count
