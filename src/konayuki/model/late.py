"""Late interaction over static rows: every token of a question looks for its best match.

Token vectors are static, so a passage needs only its token ids to be compared token by token. Two
scores come of it, both from the first `COLUMNS` columns of the 4-bit rows:

- late interaction: sum over the question's tokens t of w_t * max over the passage's tokens u of
  cos(row_t, row_u), with weights w_t that sum up to 1;
- best sentence: the largest cosine of the mean row of the question with that of a sentence. The
  tanh of a model is left out: if it is a straight line, this is the cosine of the vectors.
"""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, FloatVector, IntVector
from konayuki.errors import InputError
from konayuki.model.native import Kernel, kernel
from konayuki.model.native.binding import address_of, expect
from konayuki.model.packed import PackedTable
from konayuki.model.weights import Weights

COLUMNS = 256  # sums of products of two levels then fit into 16 bits
# A question longer than this keeps its heaviest tokens: time grows with their number.
MAX_QUERY_TOKENS = 128
_HALF_STEP = np.float32(15)


class QueryTokens(NamedTuple):
    """The distinct tokens of a question.

    Attributes:
        ids: int32 (n,), rows of the table.
        weights: float32 (n,), what the best match of each counts; they sum up to 1.
        shares: float32 (n,), see `konayuki.model.late`.
    """

    ids: NDArray[np.int32]
    weights: FloatVector
    shares: FloatVector


class PassageTokens(NamedTuple):
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
    sentence_lengths: FloatVector
    starts: IntVector
    ends: IntVector
    first: IntVector
    last: IntVector


class LateTable:
    """The rows of a model as late interaction reads them; the kernel does the work if it was built.

    Args:
        weights: Of the model. Float rows are rounded to 4 bits first.
    """

    def __init__(self, weights: Weights) -> None:
        table = weights.packed_table(nearest=True)
        self._table = table
        self._columns = min(COLUMNS, table.dim)
        compiled = kernel()
        self._kernel = (
            LateKernel(compiled, table.codes, table.scales, self._columns) if compiled else None
        )
        lengths = self._kernel.lengths if self._kernel else _lengths(table, self._columns)
        self.norms: FloatVector = lengths * table.scales / _HALF_STEP

    @property
    def vocab_size(self) -> int:
        """Return the number of rows."""
        return self._table.vocab_size

    def query(self, ids: NDArray[np.integer], idf: FloatVector) -> QueryTokens:
        """Return the distinct tokens of a question with the weights idf * norm of the row.

        Args:
            ids: The tokens in their order, with repetitions.
            idf: float32 (vocab_size,).
        """
        held = Counter(ids.tolist())  # a question is short: np.unique takes three times as long
        distinct = np.array(sorted(held), np.int64)
        counts = np.array([held[token] for token in sorted(held)], np.int64)
        weights = counts * idf[distinct] * self.norms[distinct]
        (length,) = self.sentence_lengths(ids.astype(np.int32), np.array([0, len(ids)])).tolist()
        scale = 1 / (length * float(_HALF_STEP) ** 2) if length > 0 else 0.0
        shares = counts * self._table.scales[distinct] * np.float32(scale)
        if len(distinct) > MAX_QUERY_TOKENS:
            heaviest = np.sort(np.argsort(-weights, kind="stable")[:MAX_QUERY_TOKENS])
            distinct, weights, shares = distinct[heaviest], weights[heaviest], shares[heaviest]
        total = weights.sum()
        return QueryTokens(
            distinct.astype(np.int32),
            (weights / total if total > 0 else weights).astype(np.float32),
            shares.astype(np.float32),
        )

    def count(
        self, ids: NDArray[Any], ends: IntVector, first: int, counts: NDArray[np.int32]
    ) -> None:
        """Add to `counts` how many of the passages from `first` on hold each token.

        Args:
            ids: uint16 or int32 (n_tokens,), tokens of all passages.
            ends: int64 (n_passages,), behind the last token of each.
            first: The first passage that counts.
            counts: int32 (vocab_size,), changed in place.

        Raises:
            InputError: An id is not a row of the table.
        """
        if self._kernel:
            self._kernel.count(ids, ends, first, counts)
            return
        start = int(ends[first - 1]) if first else 0
        for end in ends[first:].tolist():
            counts[np.unique(ids[start:end])] += 1
            start = end

    def sentence_lengths(self, ids: NDArray[np.int32], offsets: IntVector) -> FloatVector:
        """Return the length of the sum of each sentence's rows: float32 (n_sentences,).

        Args:
            ids: int32 (n_tokens,).
            offsets: int64 (n_sentences + 1,); sentence i owns ids[offsets[i]:offsets[i + 1]].

        Raises:
            InputError: An id is not a row of the table.
        """
        if self._kernel:
            return self._kernel.sentence_lengths(ids, offsets)
        spans = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        lengths = [
            np.linalg.norm(self._rows(ids[start:end]).sum(axis=0)) if start < end else 0.0
            for start, end in spans
        ]
        return np.array(lengths, dtype=np.float32)

    def score(self, query: QueryTokens, passages: PassageTokens) -> tuple[FloatVector, FloatVector]:
        """Return late interaction and best sentence of each passage asked for: float32 (n,) each.

        A passage without tokens, and every passage for a question without tokens, has 0 in both.

        Raises:
            InputError: An id is not a row of the table, or a passage lies outside of the arrays.
        """
        if self._kernel:
            return self._kernel.score(query, passages)
        return self._score_in_numpy(query, passages)

    def _score_in_numpy(
        self, query: QueryTokens, passages: PassageTokens
    ) -> tuple[FloatVector, FloatVector]:
        scores = np.zeros((len(passages.starts), 2), np.float32)
        if not len(query.ids):
            return scores[:, 0].copy(), scores[:, 1].copy()
        question_rows = self._rows(query.ids)
        units = question_rows / np.maximum(self.norms[query.ids], 1e-30)[:, np.newaxis]
        mean = (query.shares * _HALF_STEP**2) @ _unscaled(self._table).rows(
            query.ids, self._columns
        )
        spans = np.stack([passages.starts, passages.ends, passages.first, passages.last], axis=1)
        for number, (start, end, first, last) in enumerate(spans.tolist()):
            ids = passages.ids[start:end]
            if not len(ids):
                continue
            rows = self._rows(ids)
            cosines = units @ (rows / np.maximum(self.norms[ids], 1e-30)[:, np.newaxis]).T
            scores[number, 0] = query.weights @ cosines.max(axis=1)
            ends = passages.sentence_ends[first:last]
            lengths = passages.sentence_lengths[first:last]
            scores[number, 1] = _best_sentence((rows @ mean).astype(np.float32), ends, lengths)
        return np.ascontiguousarray(scores[:, 0]), np.ascontiguousarray(scores[:, 1])

    def _rows(self, ids: NDArray[np.integer]) -> FloatMatrix:
        return self._table.rows(ids, self._columns)


def _unscaled(table: PackedTable) -> PackedTable:
    """Return the levels of a table as rows from -1 to 1; to divide by a scale of 0 is no way."""
    return PackedTable(table.codes, np.ones_like(table.scales))


def _lengths(table: PackedTable, columns: int) -> FloatVector:
    """Return the length of each row in halves of a step of its levels."""
    lengths = np.empty(table.vocab_size, np.float32)
    levels = _unscaled(table)
    for start in range(0, table.vocab_size, 4096):
        ids = np.arange(start, min(start + 4096, table.vocab_size))
        rows = levels.rows(ids, columns) * _HALF_STEP
        lengths[ids] = np.linalg.norm(rows, axis=1)
    lengths[table.scales == 0] = 0.0
    return lengths


def _best_sentence(products: NDArray[Any], ends: NDArray[np.uint32], lengths: FloatVector) -> float:
    """Return the largest sum of products over a sentence as a share of its length."""
    totals = np.concatenate([[0], np.cumsum(products, dtype=np.float64)])
    sums = np.diff(totals[np.concatenate([[0], ends.astype(np.int64)])])
    has_length = lengths > 0
    return float((sums[has_length] / lengths[has_length]).max()) if has_length.any() else -1.0


class LateKernel:
    """A packed table that questions and passages are compared on, token by token.

    Scores are the same on every processor. The lock of the interpreter is free meanwhile.

    Every method raises `InputError` for arrays of another dtype or shape and for ids that are not
    rows of the table.

    Args:
        kernel: The compiled loops.
        codes: uint8 (vocab_size, columns / 2), high nibble = even column.
        scales: float32 (vocab_size,).
        columns: How many columns are compared, even, at most `COLUMNS`.
    """

    def __init__(
        self, kernel: Kernel, codes: NDArray[np.uint8], scales: FloatVector, columns: int
    ) -> None:
        expect(codes, "codes", np.uint8, (None, None))
        expect(scales, "scales", np.float32, (len(codes),))
        if columns % 2 or not 2 <= columns <= min(COLUMNS, 2 * codes.shape[1]):
            raise InputError(
                f"columns is {columns}: expected an even number from 2 to "
                f"{min(COLUMNS, 2 * codes.shape[1])}"
            )
        self._module = kernel.module
        self._level = kernel.level_number
        self._codes, self._scales = codes, scales
        self._table = (address_of(codes), *codes.shape, columns)
        self.lengths = np.empty(len(codes), np.float32)
        self._sums = np.empty(len(codes), np.int32)
        kernel.module.prepare_late(*self._table, address_of(self.lengths), address_of(self._sums))
        self.lengths[scales == 0] = 0.0  # a row of zeros: its levels say nothing

    def count(
        self, ids: NDArray[Any], ends: IntVector, first: int, counts: NDArray[np.int32]
    ) -> None:
        """See `LateTable.count`."""
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

    def sentence_lengths(self, ids: NDArray[np.int32], offsets: IntVector) -> FloatVector:
        """See `LateTable.sentence_lengths`."""
        expect(ids, "ids", np.int32, (None,))
        expect(offsets, "offsets", np.int64, (None,))
        if not len(offsets):
            raise InputError("offsets is empty: expected one more entry than sentences")
        lengths = np.empty(len(offsets) - 1, np.float32)
        arrays = (address_of(self._scales), address_of(ids), len(ids), address_of(offsets))
        self._call(self._module.sum_sentences, *arrays, len(lengths), address_of(lengths))
        return lengths

    def score(self, query: QueryTokens, passages: PassageTokens) -> tuple[FloatVector, FloatVector]:
        """See `LateTable.score`."""
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


def _check(query: QueryTokens, passages: PassageTokens) -> None:
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
