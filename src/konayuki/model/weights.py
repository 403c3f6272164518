"""The numbers of a model: a table and the three vectors of its tanh."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konayuki.model.packed import FloatTable, PackedTable, Table, dequantize, quantize

FloatVector = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """y = beta * tanh(alpha * mean of rows + bias), column by column.

    Attributes:
        table: one row per token.
        alpha: float32 (dim,), likewise `beta` and `bias`.
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

    def packed(self) -> "Weights":
        """Return the weights with 4-bit rows."""
        if isinstance(self.table, PackedTable):
            return self
        return Weights(quantize(self.table.values), self.alpha, self.beta, self.bias)

    def unpacked(self) -> "Weights":
        """Return the weights with float32 rows."""
        if isinstance(self.table, FloatTable):
            return self
        values = np.ascontiguousarray(dequantize(self.table)[:, : self.dim])
        return Weights(FloatTable(values), self.alpha, self.beta, self.bias)
