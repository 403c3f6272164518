"""Texts and token ids to vectors: the definition in NumPy, and the kernel if it was built."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.model.native import Kernel, Unigram, kernel
from konayuki.model.native import Table as KernelTable
from konayuki.model.packed import PackedTable
from konayuki.model.tokens import TokenBatch, Tokenizer
from konayuki.model.weights import Weights

CHUNK_TOKENS = 4096  # 8 MB of float32 rows at 512 columns


class Pooler:
    """Pools batches with one set of weights, in the compiled kernel if it was built.

    Args:
        weights: The rows and the tanh.

    Attributes:
        table: The same in the kernel, None without it.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        compiled = kernel()
        self.table = None if compiled is None else _kernel_table(compiled, weights)

    def pool(
        self, batch: TokenBatch, *, dim: int, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text: float32 (n_texts, dim), C order; in `out` if it is given.

        A text without tokens gives the zero vector.
        """
        if self.table is not None:
            return self.table.pool(batch.ids, batch.offsets, dim, normalize=normalize, out=out)
        vectors = pool(self._weights, batch, dim=dim, normalize=normalize)
        if out is None:
            return vectors
        out[:] = vectors
        return out


class TextsToVectors(Protocol):
    """Tokenising and pooling as one step."""

    def __call__(
        self, texts: Sequence[str], *, dim: int, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text: float32 (n_texts, dim), C order; in `out` if it is given.

        A text without tokens gives the zero vector.

        Raises:
            UnicodeEncodeError: A text holds a lone surrogate.
            TypeError: An item is not a string.
        """


def texts_to_vectors(tokenizer: Tokenizer, pooler: Pooler) -> TextsToVectors:
    """Return both parts as one step: one call of the kernel if both run there."""
    if isinstance(tokenizer, Unigram) and pooler.table is not None:
        return partial(tokenizer.encode, table=pooler.table)  # ids never leave the cache

    def tokenize_then_pool(
        texts: Sequence[str], *, dim: int, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        return pooler.pool(tokenizer.tokenize(texts), dim=dim, normalize=normalize, out=out)

    return tokenize_then_pool


def pool(weights: Weights, batch: TokenBatch, *, dim: int, normalize: bool) -> FloatMatrix:
    """Return what `Pooler.pool` returns, in NumPy: the definition that tests hold the kernel to.

    Memory is that of the result and of `CHUNK_TOKENS` rows, however long a text is. Texts are
    summed one by one: a vector does not depend on what else is in the batch.
    """
    n_texts, counts = len(batch.offsets) - 1, None
    if not weights.pooling.is_plain:
        batch, counts = weights.pooling.counted(batch)
    means = np.zeros((n_texts, dim))  # float64: chunks of a long text add up exactly enough
    for text, (first, last) in enumerate(pairwise(batch.offsets.tolist())):
        for start in range(first, last, CHUNK_TOKENS):
            chunk = slice(start, min(start + CHUNK_TOKENS, last))
            weighted = None if counts is None else counts[chunk]
            means[text] += weights.table.sum_of_rows(batch.ids[chunk], dim, weighted)
        total = last - first if counts is None else counts[first:last].sum(dtype=np.float64)
        means[text] /= total or 1.0
    scaled = weights.alpha[:dim] * means + weights.bias[:dim]
    vectors = (weights.beta[:dim] * np.tanh(scaled)).astype(np.float32)
    vectors[np.diff(batch.offsets) == 0] = 0
    return unit_rows(vectors) if normalize else vectors


def _kernel_table(compiled: Kernel, weights: Weights) -> KernelTable:
    table = weights.table
    # A packed table cut at an odd column keeps that column's neighbour: it shares the byte.
    padding = (0, table.dim - weights.dim)
    alpha, beta, bias = (
        np.pad(vector, padding) for vector in (weights.alpha, weights.beta, weights.bias)
    )
    rest = (alpha, beta, bias, weights.pooling)
    if isinstance(table, PackedTable):
        return compiled.packed_table(table.codes, table.scales, *rest)
    return compiled.float_table(table.values, *rest)
