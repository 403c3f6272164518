"""Texts to vectors: fused in the kernel, or as tokens that are then pooled."""

from collections.abc import Sequence
from typing import Protocol

from konayuki.arrays import FloatMatrix
from konayuki.model.kernel_tokenizer import KernelTokenizer
from konayuki.model.native import Table, Unigram
from konayuki.model.pooling import Pooler
from konayuki.model.tokens import Tokenizer


class Encoder(Protocol):
    """Turns texts into vectors."""

    def encode(
        self, texts: Sequence[str], dim: int, *, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text: float32 (n_texts, dim), C order; in `out` if it is given.

        A text without tokens gives the zero vector.

        Raises:
            UnicodeEncodeError: A text holds a lone surrogate.
            TypeError: An item is not a string.
        """


class FusedEncoder:
    """Tokenises and pools in one call of the kernel: ids never leave the processor's cache.

    Args:
        unigram: The tokenizer, in the kernel.
        table: The rows to pool, in the kernel.
    """

    def __init__(self, unigram: Unigram, table: Table) -> None:
        self._unigram = unigram
        self._table = table

    def encode(
        self, texts: Sequence[str], dim: int, *, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text; see `Encoder`."""
        return self._unigram.encode(texts, self._table, dim, normalize=normalize, out=out)


class PoolingEncoder:
    """Tokenises with any tokenizer, then pools.

    Args:
        tokenizer: What gives the ids.
        pooler: What turns them into vectors.
    """

    def __init__(self, tokenizer: Tokenizer, pooler: Pooler) -> None:
        self._tokenizer = tokenizer
        self._pooler = pooler

    def encode(
        self, texts: Sequence[str], dim: int, *, normalize: bool, out: FloatMatrix | None = None
    ) -> FloatMatrix:
        """Return one vector per text; see `Encoder`."""
        batch = self._tokenizer.encode(texts)
        return self._pooler.pool(batch, dim=dim, normalize=normalize, out=out)


def build_encoder(tokenizer: Tokenizer, pooler: Pooler) -> Encoder:
    """Return the fused encoder if both parts run in the kernel, else the other one."""
    if isinstance(tokenizer, KernelTokenizer) and pooler.table is not None:
        return FusedEncoder(tokenizer.unigram, pooler.table)
    return PoolingEncoder(tokenizer, pooler)
