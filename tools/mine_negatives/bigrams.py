"""BM25 on character bigrams in plain NumPy, for mining negatives over whole training files.

A text folded to NFKC lower case becomes the pairs of neighbouring letters and digits inside it;
a single letter or digit counts as itself. Everything is arrays: a bigram is one integer, an index
is its postings sorted by bigram, and scoring a query adds a few slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from konayuki.arrays import top_k
from konayuki.search.bm25 import idf, saturate
from konayuki.text import fold

POINT_BITS = 21  # a Unicode code point fits

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
RowMatrix = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Bigrams:
    """The bigrams of some texts: text `i` owns `terms[offsets[i]:offsets[i + 1]]`."""

    terms: IntArray
    offsets: IntArray

    @property
    def n_texts(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1


def bigrams_of(texts: Sequence[str]) -> Bigrams:
    """Return the character bigrams of each text, in reading order, repeats included."""
    points, owners = _letters([fold(text) for text in texts])
    joined = (owners[1:] == owners[:-1]) & (points[1:] > 0) & (points[:-1] > 0)
    pairs = (points[:-1] << POINT_BITS) | points[1:]
    alone = points > 0
    alone[1:] &= ~joined
    alone[:-1] &= ~joined
    terms = np.concatenate([pairs[joined], points[alone]])
    of_text = np.concatenate([owners[1:][joined], owners[alone]])
    places = np.concatenate([np.flatnonzero(joined), np.flatnonzero(alone)])
    order = np.lexsort((places, of_text))
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.bincount(of_text, minlength=len(texts)), out=offsets[1:])
    return Bigrams(terms[order], offsets)


class BigramIndex:
    """An in-memory BM25 index over the bigrams of passages."""

    def __init__(self, passages: Sequence[str]) -> None:
        bigrams = bigrams_of(passages)
        self.n_passages = bigrams.n_texts
        lengths = np.diff(bigrams.offsets)
        owners = np.repeat(np.arange(bigrams.n_texts), lengths)
        order = np.lexsort((owners, bigrams.terms))
        terms, owners = bigrams.terms[order], owners[order]
        first = np.ones(len(terms), dtype=bool)
        first[1:] = (terms[1:] != terms[:-1]) | (owners[1:] != owners[:-1])
        starts = np.flatnonzero(first)
        counts = np.diff(np.append(starts, len(terms)))
        self._owners = owners[starts].astype(np.int32)
        self._terms, self._bounds = _runs(terms[starts])
        self._weights = self._impacts(counts, lengths)

    def _impacts(self, counts: IntArray, lengths: IntArray) -> FloatArray:
        n_holding = np.diff(self._bounds)
        rarity = np.repeat(idf(self.n_passages, n_holding), n_holding)
        average = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
        impacts = rarity * saturate(counts, lengths[self._owners], average)
        return np.asarray(impacts, dtype=np.float32)

    def top(self, queries: Sequence[str], k: int) -> tuple[RowMatrix, FloatArray]:
        """Return the `k` best passages of each query and their scores.

        Rows are int32 (n_queries, k), -1 after the last passage that shares a bigram with the
        query; scores are float32 of that shape, 0 there. Equal scores keep the order of passages.
        A bigram that a query repeats counts each time.
        """
        bigrams = bigrams_of(queries)
        rows = np.full((bigrams.n_texts, k), -1, dtype=np.int32)
        scores = np.zeros((bigrams.n_texts, k), dtype=np.float32)
        for query in range(bigrams.n_texts):
            terms = bigrams.terms[bigrams.offsets[query] : bigrams.offsets[query + 1]]
            best, values = _top_positive(self._score(terms), k)
            rows[query, : len(best)] = best
            scores[query, : len(best)] = values
        return rows, scores

    def _score(self, terms: IntArray) -> FloatArray:
        numbers = np.searchsorted(self._terms, terms)
        numbers[numbers == len(self._terms)] = 0
        numbers = numbers[self._terms[numbers] == terms] if len(self._terms) else numbers[:0]
        slices = [slice(self._bounds[term], self._bounds[term + 1]) for term in numbers]
        if not slices:
            return np.zeros(self.n_passages, dtype=np.float32)
        owners = np.concatenate([self._owners[part] for part in slices])
        weights = np.concatenate([self._weights[part] for part in slices])
        return np.bincount(owners, weights, minlength=self.n_passages).astype(np.float32)


def _letters(texts: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return all code points, 0 for what is neither letter nor digit, and the text of each."""
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(data, dtype="<u4").astype(np.int64)
    distinct, places = np.unique(points, return_inverse=True)
    words = np.array([chr(point).isalnum() or chr(point) == "ー" for point in distinct.tolist()])
    kept = np.where(words, distinct, 0)[places] if len(points) else points
    return kept, np.repeat(np.arange(len(texts)), [len(text) for text in texts])


def _runs(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct values of a sorted array and the bounds of their runs."""
    distinct, starts = np.unique(values, return_index=True)
    return distinct, np.append(starts, len(values)).astype(np.int64)


def _top_positive(scores: FloatArray, k: int) -> tuple[RowMatrix, FloatArray]:
    best = top_k(scores[None, :], k)[0][0].astype(np.int32)
    best = best[scores[best] > 0]
    return best, scores[best]
