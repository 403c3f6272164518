"""The numbers of a model: a table, what a token of a text counts, and the vectors of the tanh."""

import math
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
from konayuki.model.tokens import TokenBatch

ID_BITS = 32  # of a text and an id in one number
SLOPE = 2.0**-14  # at which tanh is a line to single precision for means up to 1


class Pooling(NamedTuple):
    """What each distinct token of a text counts in the mean of its rows.

    The token at position i, from 0, counts a_i = half_position / (half_position + i); a distinct
    token counts (sum of a_i over its occurrences) ** tf_power. With 1 and infinity that is the
    plain mean of the original SSE format.

    The power is the sublinear term frequency of text retrieval (Manning, Raghavan and Schuetze,
    "Introduction to Information Retrieval", 6.4.1): a word that occurs nine times does not say nine
    times as much. And a text says at its beginning what it is about.

    Attributes:
        tf_power: From 0 (each distinct token counts the same, wherever it stands) to 1.
        half_position: The position whose token counts half of the first one's.
    """

    tf_power: float = 1.0
    half_position: float = math.inf

    @property
    def is_plain(self) -> bool:
        """Return whether it is the plain mean."""
        return self.tf_power == 1 and math.isinf(self.half_position)

    def to_array(self) -> FloatVector:
        """Return the power and the position, 0 for infinity, as files hold them: float32 (2,)."""
        half = 0.0 if math.isinf(self.half_position) else self.half_position
        return np.array([self.tf_power, half], np.float32)

    @classmethod
    def from_array(cls, values: FloatVector) -> "Pooling":
        """Return what `to_array` gave."""
        power, half = values.tolist()
        return cls(power, half or math.inf)

    def counted(self, batch: TokenBatch) -> tuple[TokenBatch, FloatVector]:
        """Return the distinct tokens of each text, by id, and what each counts: float32.

        In NumPy; the kernel does the same while it pools.
        """
        first, lengths = batch.offsets[0], np.diff(batch.offsets)
        ids = batch.ids[first : batch.offsets[-1]]
        texts = np.arange(len(lengths) + 1) << ID_BITS
        keys, places = np.unique(np.repeat(texts[:-1], lengths) | ids, return_inverse=True)
        positions = np.arange(len(ids)) - np.repeat(batch.offsets[:-1] - first, lengths)
        occurrences = 1 / (1 + positions / self.half_position)
        counts = np.bincount(places, occurrences, minlength=len(keys)) ** self.tf_power
        distinct = (keys & ((1 << ID_BITS) - 1)).astype(np.int32)
        return TokenBatch(distinct, np.searchsorted(keys, texts)), counts.astype(np.float32)


PLAIN_MEAN = Pooling()


@dataclass(frozen=True)
class Weights:
    """y = beta * tanh(alpha * weighted mean of rows + bias), column by column.

    Attributes:
        table: The rows, one per token.
        alpha: The slopes, float32 (dim,), like `beta` and `bias`.
        pooling: How the rows of a text are weighted in their mean.
    """

    table: Table
    alpha: FloatVector
    beta: FloatVector
    bias: FloatVector
    pooling: Pooling = PLAIN_MEAN

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
        alpha, beta, bias = (vector[:dim].copy() for vector in (self.alpha, self.beta, self.bias))
        return Weights(self.table.crop(dim), alpha, beta, bias, self.pooling)

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
