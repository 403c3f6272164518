"""What tokenizers hand to pooling."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class TokenBatch(NamedTuple):
    """The tokens of several texts, end to end.

    Text `i` owns `ids[offsets[i]:offsets[i + 1]]`; an empty text owns nothing.
    """

    ids: NDArray[np.int32]  # (n_tokens,)
    offsets: NDArray[np.int64]  # (n_texts + 1,)


class Tokenizer(Protocol):
    """Turns texts into rows of the table."""

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""

    @property
    def backend(self) -> str:
        """Return what does the work: "kernel", "python" or the library "tokenizers"."""

    def tokenize(self, texts: Sequence[str]) -> TokenBatch:
        """Return the token ids of the texts, without special tokens, never truncated."""


def as_batch(pieces: Sequence[NDArray[np.int32]]) -> TokenBatch:
    """Return the batch that holds one text per array of ids."""
    offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in pieces], out=offsets[1:])
    ids = np.concatenate(pieces) if len(pieces) else np.empty(0, dtype=np.int32)
    return TokenBatch(ids.astype(np.int32, copy=False), offsets)
