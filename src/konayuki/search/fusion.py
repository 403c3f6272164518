"""One score out of two: pure functions from BM25 and cosines to what hits are ordered by.

The fused score is a plain sum, cosine + weight * BM25. Measured against scaling both to the span of
the candidates, z-scores, reciprocal ranks and weights that follow the coverage of the query, it is
as good as the best of them (docs/search.md), and it is the only one by which the score of a
document depends on nothing but the query and that document: it does not change with `k`, it can
be explained as two parts, and it can be bounded, so that nothing is missed. The weight adapts by
itself: a long question that one passage answers word by word has a high BM25, two common words have
a low one.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
LEXICAL_WEIGHT = 0.018  # benchmarks/fusion.py, on sets held out from training


def fuse(lexical: Scores, dense: Scores, lexical_weight: float = LEXICAL_WEIGHT) -> Scores:
    """Return the fused scores.

    Args:
        lexical: float32 (n,), BM25; 0 where no term of the query occurs.
        dense: float32 (n,), cosines.
        lexical_weight: What a point of BM25 is worth in cosine.

    Returns:
        float32 (n,).
    """
    return dense + np.float32(lexical_weight) * lexical


def undecided(known: Scores, floors: Scores, ceilings: Scores, k: int) -> NDArray[np.bool_]:
    """Return which candidates may be among the `k` best though their BM25 is not known.

    Args:
        known: float32 (n,), fused scores of the other candidates.
        floors: float32 (m,), fused scores of these with the least BM25 that they can have.
        ceilings: float32 (m,), the same with the most.
        k: How many are wanted.

    Returns:
        bool (m,).
    """
    certain = np.concatenate([known, floors])
    if k >= len(certain):
        return np.ones(len(ceilings), dtype=np.bool_)
    possible: NDArray[np.bool_] = ceilings >= np.partition(certain, -k)[-k]
    return possible
