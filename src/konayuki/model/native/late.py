"""Late interaction in the kernel: checks of everything handed to it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import InputError
from konayuki.model.native.binding import Floats, Kernel, address_of, expect

Ids = NDArray[np.int32]
Places = NDArray[np.int64]

MAX_COLUMNS = 256  # sums of products of two levels then fit into 16 bits


class QueryTokens(NamedTuple):
    """The distinct tokens of a question.

    Attributes:
        ids: int32 (n,), rows of the table.
        weights: float32 (n,), what the best match of each counts; they sum up to 1.
        shares: float32 (n,), see `konayuki.model.late`.
    """

    ids: Ids
    weights: Floats
    shares: Floats


class Passages(NamedTuple):
    """Tokens and sentences of all stored passages, and which of them are asked for.

    Attributes:
        ids: uint16 or int32 (n_tokens,), tokens of all passages.
        sentence_ends: uint32 (n_sentences,), in tokens from the start of a passage.
        sentence_lengths: float32 (n_sentences,), of the sum of the rows of a sentence.
        starts: int64 (n,), the first token of each passage asked for.
        ends: int64 (n,), behind its last token.
        first: int64 (n,), its first sentence.
        last: int64 (n,), behind its last sentence.
    """

    ids: NDArray[Any]
    sentence_ends: NDArray[np.uint32]
    sentence_lengths: Floats
    starts: Places
    ends: Places
    first: Places
    last: Places


class LateKernel:
    """A packed table that questions and passages are compared on, token by token.

    Scores are the same on every processor. The lock of the interpreter is free meanwhile.

    Every method raises `InputError` for arrays of another dtype or shape and for ids that are not
    rows of the table.

    Args:
        kernel: The compiled loops.
        codes: uint8 (vocab_size, columns / 2), high nibble = even column.
        scales: float32 (vocab_size,).
        columns: How many columns are compared, even, at most `MAX_COLUMNS`.
    """

    def __init__(
        self, kernel: Kernel, codes: NDArray[np.uint8], scales: Floats, columns: int
    ) -> None:
        expect(codes, "codes", np.uint8, (None, None))
        expect(scales, "scales", np.float32, (len(codes),))
        if columns % 2 or not 2 <= columns <= min(MAX_COLUMNS, 2 * codes.shape[1]):
            raise InputError(
                f"columns is {columns}: expected an even number from 2 to "
                f"{min(MAX_COLUMNS, 2 * codes.shape[1])}"
            )
        self._module = kernel.module
        self._level = kernel.level_number
        self._codes, self._scales = codes, scales
        self._table = (address_of(codes), *codes.shape, columns)
        self.lengths = np.empty(len(codes), np.float32)
        self._sums = np.empty(len(codes), np.int32)
        kernel.module.prepare_late(*self._table, address_of(self.lengths), address_of(self._sums))

    def count(self, ids: NDArray[Any], ends: Places, first: int, counts: NDArray[np.int32]) -> None:
        """Add to `counts` how many of the passages from `first` on hold each token.

        Args:
            ids: uint16 or int32 (n_tokens,).
            ends: int64 (n_passages,); passage i owns ids[ends[i - 1]:ends[i]].
            first: The first passage that counts.
            counts: int32 (vocab_size,).
        """
        expect(ids, "ids", np.int32 if ids.dtype == np.int32 else np.uint16, (None,))
        expect(ends, "ends", np.int64, (None,))
        expect(counts, "counts", np.int32, (len(self._codes),))
        if not 0 <= first <= len(ends):
            raise InputError(f"first is {first}: expected 0 to {len(ends)}")
        try:
            self._module.count_tokens(
                *(address_of(ids), ids.dtype == np.int32, address_of(ends), first, len(ends)),
                *(len(ids), len(counts), address_of(counts)),
            )
        except ValueError as error:
            raise InputError(str(error)) from None

    def sentence_lengths(self, ids: Ids, offsets: Places) -> Floats:
        """Return the length of the sum of each sentence's rows: float32 (n_sentences,).

        Args:
            ids: int32 (n_tokens,).
            offsets: int64 (n_sentences + 1,); sentence i owns ids[offsets[i]:offsets[i + 1]].
        """
        expect(ids, "ids", np.int32, (None,))
        expect(offsets, "offsets", np.int64, (None,))
        if not len(offsets):
            raise InputError("offsets is empty: expected one more entry than sentences")
        lengths = np.empty(len(offsets) - 1, np.float32)
        arrays = (address_of(self._scales), address_of(ids), len(ids), address_of(offsets))
        self._call(self._module.sum_sentences, *arrays, len(lengths), address_of(lengths))
        return lengths

    def score(self, query: QueryTokens, passages: Passages) -> tuple[Floats, Floats]:
        """Return late interaction and best sentence of each passage asked for: float32 (n,) each.

        A passage without tokens, and every passage for a question without tokens, has 0 in both.
        """
        _check(query, passages)
        count = len(passages.starts)
        late, sentence = np.empty(count, np.float32), np.empty(count, np.float32)
        self._call(
            self._module.score_late,
            *(address_of(self.lengths), address_of(self._sums), address_of(self._scales)),
            *(address_of(query.ids), address_of(query.weights), address_of(query.shares)),
            len(query.ids),
            address_of(passages.ids),
            passages.ids.dtype == np.int32,
            *map(address_of, (passages.starts, passages.ends, passages.first, passages.last)),
            address_of(passages.sentence_ends),
            address_of(passages.sentence_lengths),
            count,
            address_of(late),
            address_of(sentence),
            level=True,
        )
        return late, sentence

    def _call(self, function: Any, *arguments: int, level: bool = False) -> None:  # noqa: ANN401
        leading = (self._level,) if level else ()
        try:
            function(*leading, *self._table, *arguments)
        except ValueError as error:
            raise InputError(str(error)) from None


def _check(query: QueryTokens, passages: Passages) -> None:
    expect(query.ids, "query.ids", np.int32, (None,))
    for name in ("weights", "shares"):
        expect(getattr(query, name), f"query.{name}", np.float32, (len(query.ids),))
    expect(passages.ids, "ids", np.int32 if passages.ids.dtype == np.int32 else np.uint16, (None,))
    expect(passages.sentence_ends, "sentence_ends", np.uint32, (None,))
    expect(passages.sentence_lengths, "sentence_lengths", np.float32, passages.sentence_ends.shape)
    spans = (
        (passages.starts, passages.ends, passages.ids),
        (passages.first, passages.last, passages.sentence_ends),
    )
    for firsts, lasts, items in spans:
        expect(firsts, "starts and first", np.int64, (len(passages.starts),))
        expect(lasts, "ends and last", np.int64, (len(passages.starts),))
        if ((firsts < 0) | (firsts > lasts) | (lasts > len(items))).any():
            raise InputError("a passage lies outside of what is stored: expected spans within it")
