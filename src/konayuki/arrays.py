"""Types of arrays, unit rows, the best of each row, and the rounding of the 4-bit layout."""

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float32]
FloatVector = NDArray[np.float32]
IntVector = NDArray[np.int64]
BoolVector = NDArray[np.bool_]
ByteMatrix = NDArray[np.uint8]
Int8Matrix = NDArray[np.int8]
Int8Vector = NDArray[np.int8]

# The original SSE format: levels 0 to 15 stand for (level / 7.5 - 1) * scale.
LEVELS = np.float32(15)
HALF_RANGE = np.float32(7.5)
MARGIN = np.float32(1e-8)  # added to the largest value, so that a row of zeros has a scale


def unit_rows(vectors: FloatMatrix, dim: int | None = None) -> FloatMatrix:
    """Return the first `dim` columns with every row scaled to length 1; zero rows stay zero.

    Args:
        vectors: float32 (n, columns).
        dim: Default: all columns.

    Returns:
        float32 (n, dim), C order.
    """
    cropped = vectors[:, :dim]
    norms = np.sqrt(np.einsum("ij,ij->i", cropped, cropped, dtype=np.float64))
    norms[norms == 0] = 1  # 0 / 0 would put NaN into every score
    units: FloatMatrix = (cropped / norms[:, np.newaxis]).astype(np.float32)
    return units


def top_k(scores: FloatMatrix, k: int) -> tuple[NDArray[np.int64], FloatMatrix]:
    """Return columns and scores of the `k` best of each row; equal scores keep column order.

    If there are fewer than `k` columns, all are returned.

    Args:
        scores: float32 (n_rows, n_columns).
        k: How many.

    Returns:
        int64 and float32, both (n_rows, min(k, n_columns)).
    """
    k = min(k, scores.shape[1])
    if k == 0:
        return np.empty((len(scores), 0), np.int64), np.empty((len(scores), 0), np.float32)
    cutoffs = np.partition(scores, -k, axis=1)[:, -k]
    best = np.empty((len(scores), k), dtype=np.int64)
    for row, (line, cutoff) in enumerate(zip(scores, cutoffs, strict=True)):
        candidates = np.flatnonzero(line >= cutoff)  # more than k if the cut-off is tied
        best[row] = candidates[np.argsort(-line[candidates], kind="stable")[:k]]
    return best, np.take_along_axis(scores, best, axis=1)


def row_scales(rows: FloatMatrix) -> FloatVector:
    """Return the scale of each row in the original SSE format: max|row| + 1e-8, float32 (n,)."""
    scales: FloatVector = np.abs(rows).max(axis=1) + MARGIN
    return scales


def to_levels(rows: FloatMatrix, scales: FloatVector, bits: int = 4) -> FloatMatrix:
    """Return the nearest level of each value, half to even, as float32 (n, dim).

    The original SSE format has 4 bits: q = clip(rint((row / scale + 1) * 7.5), 0, 15).
    """
    levels = np.float32(2**bits - 1)
    exact = (rows / scales[:, np.newaxis] + np.float32(1)) * (levels / 2)
    clipped: FloatMatrix = np.clip(np.rint(exact), 0, levels)
    return clipped


def from_levels(levels: FloatMatrix, scales: FloatVector, bits: int = 4) -> FloatMatrix:
    """Return the value of each level: (level / 7.5 - 1) * scale with 4 bits, float32 (n, dim)."""
    half = np.float32(2**bits - 1) / 2
    values: FloatMatrix = (levels / half - np.float32(1)) * scales[:, np.newaxis]
    return values
