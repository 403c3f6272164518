"""The true nearest neighbours, by float32 cosine, of vectors that stream past."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int8]


class Truth:
    """The best rows by float32 cosine, kept while vectors stream past.

    Args:
        queries: float32 (n, dim), of length 1.
        at: The number of rows per query.
    """

    def __init__(self, queries: NDArray[np.float32], at: int = 10) -> None:
        self._queries = queries
        self._scores = np.full((len(queries), at), -2, np.float32)
        self.rows = np.zeros((len(queries), at), np.int64)

    def add(self, vectors: NDArray[np.float32], first: int) -> None:
        """Take in the vectors of rows `first` and after."""
        scores = np.hstack([self._scores, self._queries @ vectors.T])
        numbers = np.arange(first, first + len(vectors))
        rows = np.hstack([self.rows, np.tile(numbers, (len(scores), 1))])
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.rows.shape[1]]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self.rows = np.take_along_axis(rows, best, axis=1)
