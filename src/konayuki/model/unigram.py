"""Unigram tokenizers of `tokenizer.json`, run by SentencePiece with the same result."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from konayuki.model.normalizers import Definition, UnsupportedError, build_normalizer
from konayuki.model.pretokenizers import build_joiner
from konayuki.model.sentencepiece_model import UNKNOWN, Piece, serialize
from konayuki.model.tokens import TokenBatch, as_batch

FEW_TEXTS = 64  # below this a second thread costs more than it brings


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
        vocabulary: list[tuple[str, float]] = model["vocab"]
        unk_id = model["unk_id"]
        if model.get("byte_fallback") or unk_id is None:
            raise UnsupportedError("byte fallback or no unknown piece")
        self._vocab_size = len(vocabulary)
        self._unk_id = unk_id
        self._normalize = build_normalizer(definition.get("normalizer"))
        self._join = build_joiner(
            definition.get("pre_tokenizer"), [piece for piece, _ in vocabulary]
        )
        self._processor = _processor(vocabulary, unk_id)

    @property
    def vocab_size(self) -> int:
        """Return the number of pieces."""
        return self._vocab_size

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts, the same that `tokenizers` gives."""
        normalize, join = self._normalize, self._join
        prepared = [join(normalize(text)).encode() for text in texts]
        threads = 1 if len(texts) < FEW_TEXTS else -1
        return self._without_marks(as_batch(self._segment(prepared, threads)))

    def _segment(self, prepared: list[bytes], threads: int) -> list[NDArray[np.int32]]:
        segmented: Any = self._processor.encode(prepared, return_type="numpy", num_threads=threads)
        return list(segmented)

    def _without_marks(self, batch: TokenBatch) -> TokenBatch:
        """Return the batch without the separators of words, which are no tokens."""
        marks = batch.ids == self._vocab_size
        if not marks.any():
            return batch
        kept = np.zeros(len(batch.ids) + 1, dtype=np.int64)
        np.cumsum(~marks, out=kept[1:])
        return TokenBatch(batch.ids[~marks], kept[batch.offsets])


def _processor(vocabulary: list[tuple[str, float]], unk_id: int) -> Any:  # noqa: ANN401
    pieces = [Piece(text, score) for text, score in vocabulary]
    taken = {piece.text for piece in pieces}
    unk_piece = next(name for name in ("\ufdd0", "\ufdd1", "\ufdd2") if name not in taken)
    pieces[unk_id] = Piece(unk_piece, pieces[unk_id].score, UNKNOWN)
    pieces.append(Piece(" ", 0.0))
    return sentencepiece.SentencePieceProcessor(
        model_proto=serialize(pieces, unk_id=unk_id, unk_piece=unk_piece)
    )
