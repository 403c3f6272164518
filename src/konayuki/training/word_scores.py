"""BM25 over a tokenizer's pieces, added to the logits of a teacher.

A transformer captures what texts mean but not their names and numbers; with BM25 it is the other
way round. Scores are divided by the sum of the query's weights, so that they do not grow with its
length: 0 if no piece is shared, at most K1 + 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.extras import require
from konayuki.model.tokens import TokenBatch
from konayuki.search.bm25 import idf, saturate


class WordScores:
    """BM25 with the document frequencies of one collection.

    Args:
        passages: The tokens of the collection.
        vocab_size: One more than the largest token id.
    """

    def __init__(self, passages: TokenBatch, vocab_size: int) -> None:
        self._vocab_size = vocab_size
        counts = self._counts(passages)
        n_passages = counts.shape[0]
        frequency = np.bincount(counts.indices, minlength=vocab_size)
        self._weights = idf(n_passages, frequency.astype(np.float64)).astype(np.float32)
        self._mean_length = max(1.0, float(counts.sum()) / max(1, n_passages))

    def scores(self, queries: TokenBatch, passages: TokenBatch) -> NDArray[np.float32]:
        """Return the score of every query with every passage: float32 (n_queries, n_passages)."""
        left = self._counts(queries)
        left.data = self._weights[left.indices]
        right = self._counts(passages)
        lengths = np.asarray(right.sum(axis=1)).ravel()
        rows = np.repeat(np.arange(right.shape[0]), np.diff(right.indptr))
        right.data = saturate(right.data, lengths[rows], self._mean_length)
        most = np.maximum(np.asarray(left.sum(axis=1)), 1e-6)
        scores: NDArray[np.float32] = (left @ right.T).toarray().astype(np.float32) / most
        return scores

    def _counts(self, batch: TokenBatch) -> Any:  # noqa: ANN401 - a scipy matrix
        """Return how often each piece occurs in each text: sparse float32 (n_texts, vocab_size)."""
        sparse = require("scipy.sparse", "train")
        ones = np.ones(len(batch.ids), dtype=np.float32)
        counts = sparse.csr_matrix(
            (ones, batch.ids, batch.offsets), (len(batch.offsets) - 1, self._vocab_size), copy=True
        )  # a copy: what follows sorts the ids in place
        counts.sum_duplicates()
        return counts
