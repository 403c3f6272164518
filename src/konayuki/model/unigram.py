"""Unigram tokenizers of `tokenizer.json`, run by SentencePiece with the same result."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from konayuki.model.added_tokens import AddedTokens
from konayuki.model.normalizers import Definition, UnsupportedError, build_normalizer
from konayuki.model.pretokenizers import SEPARATOR, build_pretokenizer
from konayuki.model.sentencepiece_model import serialize
from konayuki.model.tokens import TokenBatch, as_batch
from konayuki.model.viterbi import UNKNOWN_PENALTY, ExactSegmenter

Ids = NDArray[np.int32]

FEW_TEXTS = 64  # a list starts threads, 0.1 ms or more: below this it costs more than it brings
FLOAT32_BITS = 24
FINEST_GRID_BITS = 12
SHORTEST_EXACT = 256  # characters; scores that are exact for less count as off the grid
OFF_GRID_CHARACTERS = 1000
# Where characters repeat, the same pieces fit in several orders, which differ in rounding alone.
RUN = re.compile(r"(.{1,4}?)\1\1", re.DOTALL)


class UnigramTokenizer:
    """Segments with SentencePiece what `tokenizer.json` defines.

    Args:
        definition: the parsed `tokenizer.json`.

    Raises:
        UnsupportedError: a part of the definition is not emulated here.
    """

    backend = "sentencepiece"

    def __init__(self, definition: Definition) -> None:
        model = definition["model"]
        pieces = [piece for piece, _ in model["vocab"]]
        scores = [float(score) for _, score in model["vocab"]]
        unk_id = model["unk_id"]
        if model.get("byte_fallback") or unk_id is None:
            raise UnsupportedError("byte fallback or no unknown piece")
        if len(set(pieces)) < len(pieces) or "" in pieces:
            raise UnsupportedError("a piece that is empty or there twice")
        self._unk_id = unk_id
        self._separator_id = len(pieces)
        self._literal_unk_id = len(pieces) + 1
        self._normalize = build_normalizer(definition.get("normalizer"))
        self._pretokenizer = build_pretokenizer(definition.get("pre_tokenizer"), pieces)
        self._added = AddedTokens(definition.get("added_tokens") or [])
        self._vocab_size = max(len(pieces), self._added.largest_id + 1)
        self._on_grid, self._longest = exact_length(scores)
        self._exact = ExactSegmenter(model["vocab"], unk_id)
        self._processor = _processor(pieces, scores, unk_id, self._pretokenizer.glue)

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return self._vocab_size

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts, the same that `tokenizers` gives.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        ordinary: list[bytes] = []
        special: dict[int, Ids] = {}
        normalize, prepare = self._normalize, self._pretokenizer.prepare
        for index, text in enumerate(texts):
            prepared = prepare(normalize(text))
            if self._added.occur_in(text) or self._needs_care(prepared):
                special[index] = self._encode_with_care(text)
                prepared = ""
            ordinary.append(prepared.encode())
        batch = self._segment(ordinary)
        return batch if not special else _replaced(batch, special)

    def _needs_care(self, prepared: str) -> bool:
        """Say whether single precision may decide otherwise than double precision."""
        return len(prepared) > self._longest or (
            not self._on_grid and RUN.search(prepared) is not None
        )

    def _encode_with_care(self, text: str) -> Ids:
        """Return the ids of a text with added tokens, or one where single precision falls short."""
        parts: list[Ids] = [np.empty(0, dtype=np.int32)]
        prepare = self._pretokenizer.prepare
        for part in self._added.split(text):
            if isinstance(part, int):
                parts.append(np.array([part], dtype=np.int32))
            else:
                parts.extend(self._segment_with_care(prepare(self._normalize(part))))
            prepare = self._pretokenizer.prepare_later
        return np.concatenate(parts)

    def _segment_with_care(self, prepared: str) -> Iterator[Ids]:
        prepared.encode()  # lone surrogates are refused here as elsewhere
        glue = self._pretokenizer.glue
        waiting: list[str] = []
        n_waiting = 0
        for word in self._pretokenizer.words(prepared):
            if self._needs_care(word) or n_waiting + len(word) >= self._longest:
                yield self._segment([glue.join(waiting).encode()]).ids
                waiting, n_waiting = [], 0
            if self._needs_care(word):
                yield np.array(self._exact.segment(word), dtype=np.int32)
                continue
            waiting.append(word)
            n_waiting += len(word) + len(glue)
        yield self._segment([glue.join(waiting).encode()]).ids

    def _segment(self, prepared: list[bytes]) -> TokenBatch:
        encode: Any = self._processor.encode
        if len(prepared) < FEW_TEXTS:
            segmented = [encode(text, return_type="numpy") for text in prepared]
        else:
            segmented = encode(prepared, return_type="numpy", num_threads=-1)
        batch = as_batch(segmented)
        return batch if batch.ids.size == 0 else self._own_ids(batch)

    def _own_ids(self, batch: TokenBatch) -> TokenBatch:
        """Return the batch without separators, which are no tokens, and with one unknown id."""
        ids, offsets = batch
        if ids.max() < self._separator_id:
            return batch
        keep = ids != self._separator_id
        literal = ids == self._literal_unk_id
        if literal.any():
            ids = np.where(literal, np.int32(self._unk_id), ids)
            unknown = ids == self._unk_id
            first = np.zeros(len(ids) + 1, dtype=bool)
            first[offsets] = True
            keep[1:] &= ~(unknown[1:] & unknown[:-1] & ~first[1:-1])
        kept = np.zeros(len(ids) + 1, dtype=np.int64)
        np.cumsum(keep, out=kept[1:])
        return TokenBatch(ids[keep], kept[offsets])


def exact_length(scores: Sequence[float]) -> tuple[bool, int]:
    """Say how far single precision adds scores exactly.

    Scores that are multiples of a power of two add up without rounding until the sum needs more
    than 24 bits. No best path is longer than one unknown a character.

    Returns:
        Whether the scores are such multiples, and the number of characters that are safe (a rule of
        thumb where they are not).
    """
    values = np.array(scores)
    largest = np.abs(values).max() + UNKNOWN_PENALTY
    for bits in range(FINEST_GRID_BITS + 1):
        scaled = values * 2.0**bits
        if (scaled == np.rint(scaled)).all():
            length = int(2.0 ** (FLOAT32_BITS - bits) / largest) - 1
            return (True, length) if length >= SHORTEST_EXACT else (False, OFF_GRID_CHARACTERS)
    return False, OFF_GRID_CHARACTERS


def _processor(pieces: Sequence[str], scores: Sequence[float], unk_id: int, glue: str) -> Any:  # noqa: ANN401 - the library has no types
    """Return the SentencePiece processor: our ids, then the separator and the literal unknown.

    SentencePiece never matches the text of its unknown piece, `tokenizers` does. So the unknown
    gets a name that is in no text's way, and its own text becomes an ordinary piece.
    """
    taken = set(pieces)
    unk_name = next(name for name in map(chr, range(0xFDD0, 0xFDF0)) if name not in taken)
    separator = SEPARATOR if glue and SEPARATOR not in taken else "\ufdef\ufdef\ufdef"
    texts = [*pieces, separator, pieces[unk_id]]
    texts[unk_id] = unk_name
    return sentencepiece.SentencePieceProcessor(
        model_proto=serialize(texts, [*scores, 0.0, scores[unk_id]], unk_id=unk_id)
    )


def _replaced(batch: TokenBatch, special: dict[int, Ids]) -> TokenBatch:
    pieces = np.split(batch.ids, batch.offsets[1:-1])
    for index, ids in special.items():
        pieces[index] = ids
    return as_batch(pieces)
