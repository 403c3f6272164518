"""Late interaction over static rows: every token of a question looks for its best match.

Token vectors are static, so a passage needs only its token ids to be compared token by token. Two
scores come of it, both from the first `COLUMNS` columns of the 4-bit rows:

- late interaction: sum over the question's tokens t of w_t * max over the passage's tokens u of
  cos(row_t, row_u), with weights w_t that sum up to 1;
- best sentence: the largest cosine of the mean row of the question with that of a sentence. The
  tanh of a model is left out: where it is a straight line, this is the cosine of the vectors.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, FloatVector
from konayuki.model.native import kernel
from konayuki.model.native.late import MAX_COLUMNS, Ids, LateKernel, Passages, Places, QueryTokens
from konayuki.model.packed import PackedTable
from konayuki.model.weights import Weights

__all__ = ["COLUMNS", "LateTable", "Passages", "QueryTokens"]

COLUMNS = MAX_COLUMNS
# A question longer than this keeps its heaviest tokens: time grows with their number.
MAX_QUERY_TOKENS = 128
_HALF_STEP = np.float32(15)


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
        distinct, counts = np.unique(ids, return_counts=True)
        weights = counts * idf[distinct] * self.norms[distinct]
        length = float(np.linalg.norm(counts @ self._rows(distinct))) if len(distinct) else 0.0
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

    def count(self, ids: NDArray[Any], ends: Places, first: int, counts: NDArray[np.int32]) -> None:
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

    def sentence_lengths(self, ids: Ids, offsets: Places) -> FloatVector:
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

    def score(self, query: QueryTokens, passages: Passages) -> tuple[FloatVector, FloatVector]:
        """Return late interaction and best sentence of each passage asked for: float32 (n,) each.

        A passage without tokens, and every passage for a question without tokens, has 0 in both.

        Raises:
            InputError: An id is not a row of the table, or a passage lies outside of the arrays.
        """
        if self._kernel:
            return self._kernel.score(query, passages)
        return self._score_in_numpy(query, passages)

    def _score_in_numpy(
        self, query: QueryTokens, passages: Passages
    ) -> tuple[FloatVector, FloatVector]:
        scores = np.zeros((len(passages.starts), 2), np.float32)
        if not len(query.ids):
            return scores[:, 0].copy(), scores[:, 1].copy()
        question_rows = self._rows(query.ids)
        units = question_rows / np.maximum(self.norms[query.ids], 1e-30)[:, np.newaxis]
        mean = (query.shares / self._table.scales[query.ids] * _HALF_STEP**2) @ question_rows
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


def _lengths(table: PackedTable, columns: int) -> FloatVector:
    """Return the length of each row in halves of a step of its levels."""
    lengths = np.empty(table.vocab_size, np.float32)
    for start in range(0, table.vocab_size, 4096):
        ids = np.arange(start, min(start + 4096, table.vocab_size))
        rows = table.rows(ids, columns) / table.scales[ids, np.newaxis] * _HALF_STEP
        lengths[ids] = np.linalg.norm(rows, axis=1)
    return lengths


def _best_sentence(products: NDArray[Any], ends: NDArray[np.uint32], lengths: FloatVector) -> float:
    """Return the largest sum of products over a sentence as a share of its length."""
    totals = np.concatenate([[0], np.cumsum(products, dtype=np.float64)])
    sums = np.diff(totals[np.concatenate([[0], ends.astype(np.int64)])])
    has_length = lengths > 0
    return float((sums[has_length] / lengths[has_length]).max()) if has_length.any() else -1.0
