"""BM25 in one place: the constants of tantivy, and what everything that must agree with it needs.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", in the form
of Lucene and tantivy: idf * count * (K1 + 1) / (count + K1 * (1 - B + B * length / mean length)).
"""

import math

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75

FloatArray = NDArray[np.floating]


def idf(n_documents: int, n_holding: FloatArray | float) -> FloatArray:
    """Return the weight of terms that `n_holding` of `n_documents` documents hold."""
    return np.log1p((n_documents - np.asarray(n_holding) + 0.5) / (np.asarray(n_holding) + 0.5))


def idf_of(n_documents: int, n_holding: int) -> float:
    """Return `idf` of one term, without the cost of an array."""
    return math.log1p((n_documents - n_holding + 0.5) / (n_holding + 0.5))


def saturate(
    counts: FloatArray | float, lengths: FloatArray | float, mean_length: float
) -> FloatArray:
    """Return what `counts` occurrences are worth in texts of these lengths, without the IDF."""
    counts = np.asarray(counts)
    damping = K1 * (1 - B + B * np.asarray(lengths) / mean_length)
    weights: FloatArray = counts * (K1 + 1) / (counts + damping)
    return weights
