"""The numbers of a model: a table and the three vectors of its tanh."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from konayuki.arrays import MARGIN, FloatVector
from konayuki.errors import DimensionError
from konayuki.model.packed import (
    CHUNK_ROWS,
    FloatTable,
    PackedTable,
    Table,
    dequantize,
    quantize,
)

SLOPE = 2.0**-14  # at which tanh is a line to single precision for means up to 1


@dataclass(frozen=True)
class Weights:
    """y = beta * tanh(alpha * mean of rows + bias), column by column.

    Attributes:
        table: The rows, one per token.
        alpha: The slopes, float32 (dim,), like `beta` and `bias`.
    """

    table: Table
    alpha: FloatVector
    beta: FloatVector
    bias: FloatVector

    @property
    def dim(self) -> int:
        """Return the number of outputs."""
        return len(self.alpha)

    @property
    def vocab_size(self) -> int:
        """Return the number of rows."""
        return self.table.vocab_size

    @property
    def nbytes(self) -> int:
        """Return the bytes of all weights."""
        return self.table.nbytes + self.alpha.nbytes + self.beta.nbytes + self.bias.nbytes

    def crop(self, dim: int) -> "Weights":
        """Return the weights of the first `dim` outputs: the same numbers as cutting vectors."""
        if dim == self.dim:
            return self
        vectors = (vector[:dim].copy() for vector in (self.alpha, self.beta, self.bias))
        return Weights(self.table.crop(dim), *vectors)

    def packed(self, *, nearest: bool = False) -> "Weights":
        """Return the weights with 4-bit rows; rows that have 4 bits already stay as they are.

        Args:
            nearest: Whether to search the scale of each row; see `konayuki.model.packed.quantize`.
        """
        return replace(self, table=self.packed_table(nearest=nearest))

    def packed_table(self, *, nearest: bool = False) -> PackedTable:
        """Return the table as 4-bit rows; see `packed`."""
        if isinstance(self.table, PackedTable):
            return self.table
        return quantize(self.table.values, nearest=nearest)

    def float_table(self) -> FloatTable:
        """Return the table as float32 rows of `dim` columns."""
        if isinstance(self.table, FloatTable):
            return self.table
        return FloatTable(np.ascontiguousarray(dequantize(self.table)[:, : self.dim]))


def straight_tanh(dim: int, largest: float = 1.0) -> tuple[FloatVector, FloatVector, FloatVector]:
    """Return alpha, beta and bias, float32 (dim,), that leave means as they are.

    Args:
        dim: The number of columns.
        largest: The value, at least 1, up to which the tanh is a line to single precision.
    """
    slope = SLOPE / 2.0 ** np.ceil(np.log2(largest))
    flat, steep = np.full(dim, slope, np.float32), np.full(dim, 1 / slope, np.float32)
    return flat, steep, np.zeros(dim, np.float32)


def is_straight(weights: Weights) -> bool:
    """Return whether the tanh of a model leaves its means as they are, as `straight_tanh` does."""
    ones = np.ones(weights.dim, np.float32)
    return bool(
        (weights.alpha <= SLOPE).all()
        and np.allclose(weights.alpha * weights.beta, ones)
        and not weights.bias.any()
    )


class Difference(NamedTuple):
    """How far the values of two tables are apart.

    Attributes:
        absolute: The largest difference of two values.
        relative: The largest difference as a part of the largest value in its row.
    """

    absolute: float
    relative: float


def largest_difference(first: Weights, second: Weights) -> Difference:
    """Return how far the rows of `first` are from those of `second`.

    Raises:
        DimensionError: The tables have different shapes.
    """
    shapes = [(weights.vocab_size, weights.dim) for weights in (first, second)]
    if shapes[0] != shapes[1]:
        raise DimensionError(f"cannot compare tables of shape {shapes[0]} and {shapes[1]}")
    absolute = relative = 0.0
    for start in range(0, first.vocab_size, CHUNK_ROWS):
        ids = np.arange(start, min(start + CHUNK_ROWS, first.vocab_size))
        other_rows = second.table.rows(ids, first.dim)
        apart = np.abs(first.table.rows(ids, first.dim) - other_rows).max(axis=1)
        absolute = max(absolute, float(apart.max()))
        relative = max(relative, float((apart / (np.abs(other_rows).max(axis=1) + MARGIN)).max()))
    return Difference(absolute, relative)
