"""The tokens of the stored passages, sentence by sentence, in files that only grow.

Token vectors are static, so ids are all that a second look needs.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import BoolVector, FloatVector, IntVector
from konayuki.errors import IndexFormatError
from konayuki.model.late import LateTable, PassageTokens
from konayuki.search.append_only import EpochFiles, EpochState
from konayuki.search.bm25 import idf
from konayuki.search.encoder import TokenEncoder
from konayuki.text import sentence_ends

# A second look reads at most this much of a passage: time grows with the tokens of the candidates.
MAX_TOKENS = 8192
_FORMAT = 1  # of what is stored, and of how sentences are cut
_SUFFIXES = ("ids", "rows", "ends", "sentences", "lengths")
_BLOCK_BYTES = 1 << 24
_BATCH = 256  # passages tokenized at a time: their arrays take 20 times the memory of the text


class TokenBlock(NamedTuple):
    """The tokens of some passages.

    Attributes:
        ids: int32 (n_tokens,).
        ends: int64 (n_passages, 2), behind the last token and the last sentence of each.
        sentences: uint32 (n_sentences,), their ends in tokens from the start of their passage.
        lengths: float32 (n_sentences,), of the sum of the rows of each.
    """

    ids: NDArray[np.int32]
    ends: NDArray[np.int64]
    sentences: NDArray[np.uint32]
    lengths: FloatVector

    @property
    def n_passages(self) -> int:
        """Return the number of passages."""
        return len(self.ends)


def token_block(model: TokenEncoder, texts: Sequence[str]) -> TokenBlock:
    """Return the tokens of texts as `Document.embedded_text` gives them."""
    parts = [_sentences(text) for text in texts]
    batch = model.tokenize(list(chain.from_iterable(parts)))
    offsets = batch.offsets
    n_sentences = np.cumsum([len(part) for part in parts], dtype=np.int64)
    first = np.concatenate([[0], n_sentences[:-1]]).astype(np.int64)
    starts = offsets[first] if len(texts) else np.empty(0, np.int64)
    owners = np.repeat(np.arange(len(texts)), n_sentences - first)
    ends = np.minimum(offsets[1:] - starts[owners], MAX_TOKENS)  # in tokens from the start
    sizes = np.minimum(offsets[n_sentences] - starts, MAX_TOKENS)
    inside = np.arange(len(batch.ids)) - np.repeat(starts, offsets[n_sentences] - starts)
    ids = batch.ids[inside < MAX_TOKENS]
    bounds = np.concatenate([[0], (np.cumsum(sizes) - sizes)[owners] + ends]).astype(np.int64)
    spans = np.stack([np.cumsum(sizes), n_sentences], axis=1)
    lengths = model.late.sentence_lengths(ids, bounds)
    return TokenBlock(ids, spans.astype(np.int64), ends.astype(np.uint32), lengths)


def _sentences(text: str) -> list[str]:
    """Return the pieces of a text up to the end of each sentence; together they are the text."""
    ends = list(sentence_ends(text)) or [0]
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@dataclass(frozen=True, kw_only=True)
class TokenState(EpochState):
    """What the files of the tokens hold.

    Attributes:
        tokenizer: What the tokens were made with.
        wide: Whether an id takes four bytes instead of two.
        sizes: How many tokens, passages and sentences are valid.
    """

    tokenizer: str
    wide: bool = False
    sizes: tuple[int, ...] = (0, 0, 0)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the entries of each file."""
        return ("<i4" if self.wide else "<u2", "<i8", "<i8", "<u4", "<f4")

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of valid entries of each file."""
        n_tokens, n_passages, n_sentences = self.sizes
        return n_tokens, n_passages, 2 * n_passages, n_sentences, n_sentences

    def check(self) -> None:
        """See `EpochState.check`."""
        super().check()
        if type(self.tokenizer) is not str or type(self.wide) is not bool:
            raise ValueError(f"tokenizer is {self.tokenizer!r}, wide is {self.wide!r}")


class Frequencies:
    """How many passages hold each token, counted when a search first wants it.

    As with sketches, a file of them could be at odds with the tokens. Passages that died count
    until compaction, as in the lexical half.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._files: Hashable = None
        self._counts = np.empty(0, np.int32)
        self._weights = np.empty(0, np.float32)
        self._n_counted = 0

    def idf(
        self, table: LateTable, ids: NDArray[Any], ends: IntVector, files: Hashable
    ) -> FloatVector:
        """Return the weight of each token: float32 (vocab_size,)."""
        with self._guard:
            if files != self._files or self._n_counted > len(ends):
                self._files, self._n_counted = files, 0
                self._counts = np.zeros(table.vocab_size, np.int32)
                self._weights = np.zeros(table.vocab_size, np.float32)
            if self._n_counted < len(ends):
                table.count(ids, ends, self._n_counted, self._counts)
                self._n_counted = len(ends)
                self._weights = idf(self._n_counted, self._counts.astype(np.float64)).astype(
                    np.float32
                )
            return self._weights


@dataclass(frozen=True)
class TokenView:
    """The tokens of one generation; never changes.

    Attributes:
        table: Rows of the model.
        ids: uint16 or int32, tokens of all passages.
        rows: int64 (n_passages,), ascending.
        ends: int64 (n_passages, 2), behind the last token and the last sentence of each.
        sentences: uint32 (n_sentences,).
        lengths: float32 (n_sentences,).
        idf: Gives the weight of each token, float32 (vocab_size,).
    """

    table: LateTable
    ids: NDArray[Any]
    rows: IntVector
    ends: NDArray[np.int64]
    sentences: NDArray[np.uint32]
    lengths: FloatVector
    idf: Callable[[], FloatVector]

    def score(
        self, query_ids: NDArray[np.integer], rows: IntVector
    ) -> tuple[FloatVector, FloatVector, FloatVector]:
        """Return late interaction, best sentence and number of tokens of passages: float32 (n,).

        A row that is not here counts as a passage without tokens.

        Args:
            query_ids: Tokens of the question.
            rows: int64 (n,).
        """
        starts, ends = self._spans(rows)
        passages = PassageTokens(
            self.ids, self.sentences, self.lengths, starts[0], ends[0], starts[1], ends[1]
        )
        late, sentence = self.table.score(self.table.query(query_ids, self.idf()), passages)
        # A cosine, whatever lengths a received index gives its sentences.
        sentence = np.clip(sentence, -1, 1)
        return late, sentence, (ends[0] - starts[0]).astype(np.float32)

    def _spans(self, rows: IntVector) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where tokens and sentences of passages start and end: int64 (2, n) each."""
        starts, ends = np.zeros((2, len(rows)), np.int64), np.zeros((2, len(rows)), np.int64)
        positions = np.searchsorted(self.rows, rows)
        known = np.flatnonzero(positions < len(self.rows))
        known = known[self.rows[positions[known]] == rows[known]]
        positions = positions[known]
        ends[:, known] = self.ends[positions].T
        later = positions > 0
        starts[:, known[later]] = self.ends[positions[later] - 1].T
        return starts, ends


class TokenFiles(EpochFiles[TokenState]):
    """The files behind the views."""

    def __init__(self, folder: Path, model: TokenEncoder) -> None:
        super().__init__(folder, TokenState, _SUFFIXES, "tokens")
        self._model = model
        self.tokenizer = f"{_FORMAT}/{model.fingerprint}"
        self._frequencies = Frequencies()

    def create(self, *, index_id: int = 0, purged: int = 0) -> TokenState:
        """Start with no tokens, for documents whose dead were removed up to `purged`."""
        wide = self._model.late.vocab_size > 1 << 16
        state = self.begin(
            TokenState(tokenizer=self.tokenizer, wide=wide, purged=purged, index_id=index_id)
        )
        self.commit(state)
        return state

    def state(self) -> TokenState:
        """Return what the files hold.

        Raises:
            IndexFormatError: The state cannot be read, or the tokens are of another model.
        """
        state = super().state()
        if state.tokenizer != self.tokenizer:
            raise IndexFormatError(
                f"{self.folder}: made with {state.tokenizer!r}: expected the tokens of "
                f"{self.tokenizer!r}"
            )
        return state

    def check(self, state: TokenState) -> None:
        """Compare the files with their checksums, and the tokens with the model.

        Raises:
            IndexFormatError: They differ or are not regular files; the message names the file.
        """
        super().check(state)
        self._check_contents(state)

    def _check_contents(self, state: TokenState) -> None:
        """Refuse tokens that no model of this kind makes: a sender can make checksums hold."""
        (ids, rows, ends, sentences, lengths), _ = self.entries(state)
        sizes = (state.sizes[0], state.sizes[2])
        problem = ""
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self._model.late.vocab_size:
            problem = "an id is not a row of the model"
        elif (ends[:1] < 0).any() or (ends[1:] < ends[:-1]).any():
            problem = "a passage ends before it starts"
        elif tuple(ends[-1].tolist() if len(ends) else (0, 0)) != sizes:
            problem = "the last passage does not end with the tokens"
        elif (rows[1:] <= rows[:-1]).any():
            problem = "the rows do not ascend"
        elif (sentences > MAX_TOKENS).any() or not (lengths >= 0).all():
            problem = "a sentence is longer than a passage, or has no length"
        if problem:
            raise IndexFormatError(f"{self.folder}: {problem}: expected the tokens of the index")

    def append(self, state: TokenState, rows: Sequence[int], texts: Sequence[str]) -> TokenState:
        """Write the tokens of texts behind the valid ones; `commit` makes them valid."""
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            state = self._write_block(state, rows[part], token_block(self._model, texts[part]))
        return replace(state, last_row=max([state.last_row, *rows[-1:]]))

    def compact(self, state: TokenState, dead: Iterable[int], generation: int) -> TokenState:
        """Write new files without the dead rows; the old ones go when the new are valid."""
        new = self.begin(replace(state, sizes=(0, 0, 0), purged=generation))
        (ids, rows, ends, sentences, lengths), _ = self.entries(state)
        living = ~np.isin(rows, np.fromiter(dead, dtype=np.int64))
        step = max(1, _BLOCK_BYTES // MAX_TOKENS)
        for start in range(0, len(rows), step):
            part = living[start : start + step]
            block = _chosen(ids, ends, sentences, lengths, start, part)
            new = self._write_block(new, rows[start : start + step][part], block)
        self.commit(new)
        self.collect_garbage(new)
        return new

    def entries(self, state: TokenState) -> tuple[list[NDArray[Any]], tuple[int, ...]]:
        """Return what `arrays` returns: ids, rows, ends (n_passages, 2), sentences and lengths."""
        arrays, files = self.arrays(state)
        arrays[2] = arrays[2].reshape(-1, 2)
        return arrays, files

    def view(self, state: TokenState, last_row: int) -> TokenView:
        """Return the tokens of the generation that ends with `last_row`."""
        (ids, rows, ends, sentences, lengths), files = self.entries(state)
        count = int(np.searchsorted(rows, last_row, side="right"))
        rows, ends = rows[:count], ends[:count]
        n_tokens, n_sentences = ends[-1].tolist() if count else (0, 0)
        ids, sentences, lengths = ids[:n_tokens], sentences[:n_sentences], lengths[:n_sentences]
        table = self._model.late
        token_ends = np.ascontiguousarray(ends[:, 0])
        weights = partial(self._frequencies.idf, table, ids, token_ends, files)
        return TokenView(table, ids, rows, ends, sentences, lengths, weights)

    def _write_block(
        self, state: TokenState, rows: Sequence[int] | IntVector, block: TokenBlock
    ) -> TokenState:
        n_tokens, n_passages, n_sentences = state.sizes
        shifted = block.ends + np.array([n_tokens, n_sentences])
        written = self.write(state, (block.ids, rows, shifted, block.sentences, block.lengths))
        sizes = (
            n_tokens + len(block.ids),
            n_passages + len(block.ends),
            n_sentences + len(block.sentences),
        )
        return replace(written, sizes=sizes)


def _chosen(
    ids: NDArray[Any],
    ends: NDArray[np.int64],
    sentences: NDArray[np.uint32],
    lengths: FloatVector,
    start: int,
    living: BoolVector,
) -> TokenBlock:
    """Return the living ones of the passages from `start` on."""
    bounds = np.concatenate([ends[start - 1 : start] if start else [[0, 0]], ends[start:]])
    bounds = bounds[: len(living) + 1]
    sizes = np.diff(bounds, axis=0)
    first, last = bounds[0], bounds[-1]
    with_tokens, with_sentences = (np.repeat(living, column) for column in sizes.T)
    return TokenBlock(
        ids[first[0] : last[0]][with_tokens].astype(np.int32),
        np.cumsum(sizes[living], axis=0),
        sentences[first[1] : last[1]][with_sentences],
        lengths[first[1] : last[1]][with_sentences],
    )
