"""Passages as vectors and tokens, those of unchanged passages from a cache."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatVector
from konayuki.model import StaticModel
from konayuki.search.token_ids import TokenBlock, token_block
from konayuki.site.cache import Cache

_BATCH = 1024
_HEAD = struct.Struct("<II")  # tokens, sentences


class Encoded(NamedTuple):
    """A passage.

    Attributes:
        vector: float32 (dim,).
        ids: int32, its tokens.
        sentences: uint32, ends of its sentences in tokens.
        lengths: float32, of the sum of the rows of each sentence.
    """

    vector: FloatVector
    ids: NDArray[np.int32]
    sentences: NDArray[np.uint32]
    lengths: FloatVector

    def to_bytes(self) -> bytes:
        """Return it as a cache keeps it."""
        head = _HEAD.pack(len(self.ids), len(self.sentences))
        return head + b"".join(np.ascontiguousarray(part).tobytes() for part in self)

    @classmethod
    def from_bytes(cls, content: bytes, dim: int) -> "Encoded":
        """Return what `to_bytes` gave."""
        n_tokens, n_sentences = _HEAD.unpack_from(content)
        parts: list[NDArray[Any]] = []
        at = _HEAD.size
        shapes = ((np.float32, dim), (np.int32, n_tokens))
        for dtype, size in (*shapes, (np.uint32, n_sentences), (np.float32, n_sentences)):
            parts.append(np.frombuffer(content, dtype, size, at))
            at += parts[-1].nbytes
        return cls(*parts)


def encoded(model: StaticModel, texts: Sequence[str], cache: Cache) -> Iterator[Encoded]:
    """Yield the passages of some texts."""
    kind = f"passage {model.fingerprint}"
    for at in range(0, len(texts), _BATCH):
        batch = texts[at : at + _BATCH]
        kept = [cache.get(kind, text.encode()) for text in batch]
        new = [text for text, content in zip(batch, kept, strict=True) if content is None]
        made = iter(_encoded(model, new) if new else ())
        for text, content in zip(batch, kept, strict=True):
            if content is not None:
                yield Encoded.from_bytes(content, model.dim)
                continue
            passage = next(made)
            cache.put(kind, text.encode(), passage.to_bytes())
            yield passage


def _encoded(model: StaticModel, texts: Sequence[str]) -> Iterator[Encoded]:
    vectors, block = model.encode(texts), token_block(model, texts)
    start, first = 0, 0
    for vector, (end, last) in zip(vectors, block.ends.tolist(), strict=True):
        sentences = slice(first, last)
        yield Encoded(
            vector, block.ids[start:end], block.sentences[sentences], block.lengths[sentences]
        )
        start, first = end, last


def joined(passages: Sequence[Encoded]) -> TokenBlock:
    """Return the tokens of some passages, at least one."""
    sizes = [(len(passage.ids), len(passage.sentences)) for passage in passages]
    return TokenBlock(
        ids=np.concatenate([passage.ids for passage in passages]),
        ends=np.cumsum(np.array(sizes, np.int64), axis=0),
        sentences=np.concatenate([passage.sentences for passage in passages]),
        lengths=np.concatenate([passage.lengths for passage in passages]),
    )
