"""The nearest neighbours of one query among int8 vectors: in the kernel, or in NumPy without it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import BoolVector, FloatVector, Int8Matrix, IntVector, top_k
from konayuki.model.dtypes import quantize_vectors
from konayuki.model.native import Scanner, kernel

Codes = NDArray[np.int8]
# Candidates by sketch beyond twice the wanted rows: a search for 10 then misses none of 2,000, one
# for 100 misses 0.4 % (200 questions, 100,000 and 1,000,000 vectors).
_MORE_CANDIDATES = 100
# Rows that NumPy takes at a time: 8 MB as float32 of 512 columns, which stays near the processor.
_BLOCK_ROWS = 4096
# The sum of up to this many products of int8 is below 2**24: float32 adds them exactly in any
# order.
_EXACT_COLUMNS = 2**24 // 128**2


def quantize(vectors: NDArray[np.float32]) -> Codes:
    """Return int8 codes of vectors: each row scaled so that its largest value becomes 127.

    The scale of a row is dropped because the cosine does not depend on it. A zero row stays zero.

    Args:
        vectors: The vectors, float32 (n, dim).

    Returns:
        int8 (n, dim).
    """
    return quantize_vectors(vectors, "int8")


def nearest(
    codes: Codes,
    query: Codes,
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
    codes: Codes, query: Codes, n_best: int, allowed: BoolVector | None
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


def _exact_cosines(codes: Int8Matrix, query: Codes) -> FloatVector:
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


def cosines(codes: Codes, query: NDArray[np.float32]) -> NDArray[np.float32]:
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
