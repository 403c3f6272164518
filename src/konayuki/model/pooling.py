"""Token ids to vectors: the definition in NumPy, the compiled kernel where it was built."""

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.model.native import Kernel, kernel
from konayuki.model.native import Table as KernelTable
from konayuki.model.packed import PackedTable
from konayuki.model.tokens import TokenBatch
from konayuki.model.weights import Weights

CHUNK_TOKENS = 4096  # 8 MB of float32 rows at 512 columns


class Pooler:
    """Pools batches with one set of weights, in the compiled kernel where it was built."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        found = kernel()
        self.table = None if found is None else _kernel_table(found, weights)

    def pool(
        self, batch: TokenBatch, *, dim: int, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text: float32 (n_texts, dim), C order; in `out` where it is given.

        A text without tokens gives the zero vector.
        """
        if self.table is not None:
            return self.table.pool(batch.ids, batch.offsets, dim, normalize=normalize, out=out)
        vectors = pool(self._weights, batch, dim=dim, normalize=normalize)
        if out is None:
            return vectors
        out[:] = vectors
        return out


def pool(weights: Weights, batch: TokenBatch, *, dim: int, normalize: bool) -> FloatMatrix:
    """Return what `Pooler.pool` returns, in NumPy: the definition that the kernel is held to.

    Memory is that of the result and of `CHUNK_TOKENS` rows, however long a text is.
    """
    counts = np.diff(batch.offsets)
    owners = np.flatnonzero(counts)
    means = _sums(weights, batch, owners, dim)  # float64 (n_owners, dim)
    means /= counts[owners, np.newaxis]
    vectors = np.zeros((len(counts), dim), dtype=np.float32)
    vectors[owners] = weights.beta[:dim] * np.tanh(weights.alpha[:dim] * means + weights.bias[:dim])
    return unit_rows(vectors) if normalize else vectors


def _sums(
    weights: Weights, batch: TokenBatch, owners: NDArray[np.int64], dim: int
) -> NDArray[np.float64]:
    """Return the sum of the rows of each text that has tokens."""
    starts = batch.offsets[owners]
    sums = np.zeros((len(owners), dim))
    for start in range(0, len(batch.ids), CHUNK_TOKENS):
        stop = min(start + CHUNK_TOKENS, len(batch.ids))
        first = np.searchsorted(starts, start, side="right") - 1
        last = np.searchsorted(starts, stop, side="left")
        cuts = np.maximum(starts[first:last], start) - start
        rows = weights.table.rows(batch.ids[start:stop], dim)
        sums[first:last] += np.add.reduceat(rows, cuts, axis=0)
    return sums


def _kernel_table(found: Kernel, weights: Weights) -> KernelTable:
    table = weights.table
    # A packed table cut at an odd column keeps that column's neighbour: it shares the byte.
    padding = (0, table.dim - weights.dim)
    tanh = [np.pad(vector, padding) for vector in (weights.alpha, weights.beta, weights.bias)]
    if isinstance(table, PackedTable):
        return found.packed_table(table.codes, table.scales, *tanh)
    return found.float_table(table.values, *tanh)
