"""4-bit rows: the quantiser of the original SSE format, its inverse, and rows on demand."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import HALF_RANGE, FloatMatrix, FloatVector, from_levels, row_scales, to_levels
from konayuki.errors import DimensionError

CHUNK_ROWS = 4096
# Of the original format's scale; the whole of it first, so that it wins ties.
SHARES = np.arange(50, 101, 2, dtype=np.float32)[::-1] / np.float32(100)

# A byte is two columns: the high nibble is the even one.
_NIBBLES = np.stack([np.arange(256) >> 4, np.arange(256) & 15], axis=1).astype(np.float32)
_PAIRS = _NIBBLES / HALF_RANGE - np.float32(1)  # (256, 2)


@dataclass(frozen=True)
class PackedTable:
    """A table of 4-bit rows; it stays packed in memory.

    Attributes:
        codes: uint8 (vocab_size, dim / 2), high nibble = even column, low nibble = odd column.
        scales: float32 (vocab_size,); the value of code q is (q / 7.5 - 1) * scale.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bits: ClassVar[int] = 4

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays that hold the rows."""
        return self.codes, self.scales

    @property
    def vocab_size(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    @property
    def dim(self) -> int:
        """Return the number of columns."""
        return 2 * int(self.codes.shape[1])

    @property
    def nbytes(self) -> int:
        """Return the bytes of codes and scales."""
        return self.codes.nbytes + self.scales.nbytes

    def rows(self, ids: NDArray[np.integer], dim: int) -> FloatMatrix:
        """Return the first `dim` columns of some rows: float32 (len(ids), dim)."""
        codes = self.codes[ids, : (dim + 1) // 2]
        values = _PAIRS[codes].reshape(len(codes), -1)  # (n, dim rounded up to even)
        values *= self.scales[ids, np.newaxis]
        return values[:, :dim]

    def sum_of_rows(
        self, ids: NDArray[np.integer], dim: int, counts: FloatVector | None = None
    ) -> FloatVector:
        """Return the sum of the first `dim` columns of some rows: float32 (dim,).

        Each row is multiplied by its entry of `counts`, if they are given. Levels count from -7.5
        to 7.5, as in the kernel: nothing cancels, and two products with the scales do the work.
        """
        codes = self.codes[ids, : (dim + 1) // 2]
        scales = self.scales[ids] if counts is None else self.scales[ids] * counts
        sums = np.empty((codes.shape[1], 2), dtype=np.float32)
        sums[:, 0] = scales @ np.subtract(codes >> 4, HALF_RANGE, dtype=np.float32)
        sums[:, 1] = scales @ np.subtract(codes & 15, HALF_RANGE, dtype=np.float32)
        sums /= HALF_RANGE
        return sums.reshape(-1)[:dim]

    def crop(self, dim: int) -> "PackedTable":
        """Return the first `dim` columns (one more if `dim` is odd)."""
        return PackedTable(np.ascontiguousarray(self.codes[:, : (dim + 1) // 2]), self.scales)


@dataclass(frozen=True)
class FloatTable:
    """A table of float32 rows, (vocab_size, dim)."""

    values: FloatMatrix
    bits: ClassVar[int] = 32

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays that hold the rows."""
        return (self.values,)

    @property
    def vocab_size(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @property
    def dim(self) -> int:
        """Return the number of columns."""
        return int(self.values.shape[1])

    @property
    def nbytes(self) -> int:
        """Return the bytes of the values."""
        return self.values.nbytes

    def rows(self, ids: NDArray[np.integer], dim: int) -> FloatMatrix:
        """Return the first `dim` columns of some rows: float32 (len(ids), dim)."""
        return self.values[ids, :dim]

    def sum_of_rows(
        self, ids: NDArray[np.integer], dim: int, counts: FloatVector | None = None
    ) -> FloatVector:
        """Return the sum of the first `dim` columns of some rows; see `PackedTable.sum_of_rows`."""
        rows = self.values[ids, :dim]
        sums: FloatVector = rows.sum(axis=0) if counts is None else counts @ rows
        return sums

    def crop(self, dim: int) -> "FloatTable":
        """Return the first `dim` columns."""
        return FloatTable(np.ascontiguousarray(self.values[:, :dim]))


Table = PackedTable | FloatTable


def quantize(table: FloatMatrix, *, nearest: bool = False) -> PackedTable:
    """Return the 4-bit rows of a float32 (vocab_size, dim) table, `dim` even.

    The formula of the original SSE format in float32, byte for byte: s = max|row| + 1e-8,
    q = clip(rint((row / s + 1) * 7.5), 0, 15). No value is off by more than s / 15.

    Args:
        table: The rows, float32 (vocab_size, dim).
        nearest: Whether to give each row the scale, from half of the original format's to all of
            it, that leaves the smallest squared error: a few values are clipped, the others become
            finer. A row of zeros, which no levels give, gets the scale 0. Every reader of the
            format reads them.

    Raises:
        DimensionError: An odd number of columns.
    """
    vocab_size, dim = table.shape
    if dim % 2:
        raise DimensionError(f"{dim} dimensions: expected an even number for 4-bit rows")
    codes = np.empty((vocab_size, dim // 2), dtype=np.uint8)
    scales = np.empty(vocab_size, dtype=np.float32)
    for start in range(0, vocab_size, CHUNK_ROWS):
        rows = np.asarray(table[start : start + CHUNK_ROWS], dtype=np.float32)
        scale = row_scales(rows)
        if nearest:
            scale = _nearest_scales(rows, scale)
        quantized = to_levels(rows, scale).astype(np.uint8)
        codes[start : start + CHUNK_ROWS] = quantized[:, 0::2] << 4 | quantized[:, 1::2]
        if nearest:
            scale[~rows.any(axis=1)] = 0.0
        scales[start : start + CHUNK_ROWS] = scale
    return PackedTable(codes, scales)


def _nearest_scales(rows: FloatMatrix, largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scale of each row whose 4-bit values are nearest to the row."""
    best = largest.copy()
    least = np.full(len(rows), np.inf, dtype=np.float32)
    for share in SHARES:
        scale = largest * share
        values = from_levels(to_levels(rows, scale), scale)
        error = np.square(values - rows).sum(axis=1)
        best = np.where(error < least, scale, best)
        least = np.minimum(error, least)
    return best


def dequantize(packed: PackedTable) -> FloatMatrix:
    """Return the float32 (vocab_size, dim) values of 4-bit rows."""
    return packed.rows(np.arange(packed.vocab_size), packed.dim)
