"""One score out of two: pure functions from BM25 and cosines to what hits are ordered by.

The fused score is cosine + weight * BM25 * coverage, where the coverage is the BM25 as a share of
the most that any document could have for the query. A passage that holds little of a question gets
little from its words, one that answers it word by word gets all. On running text it loses nothing
to the better half, and over all held-out tasks it finds more than the sum without coverage
(docs/explanation/search.md). The score of a document depends on nothing but the query, that
document and the index's statistics of terms: it does not change with `k` or with what else was
found, it can be explained as two parts, and it grows with the BM25, so it can be bounded and
nothing is missed.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
LEXICAL_WEIGHT = 0.035  # benchmarks/fusion.py, on sets held out from training


def fuse(
    lexical: Scores, dense: Scores, ceiling: float, lexical_weight: float = LEXICAL_WEIGHT
) -> Scores:
    """Return the fused scores: dense + lexical_weight * lexical * (lexical / ceiling).

    Args:
        lexical: float32 (n,), BM25; 0 if no term of the query occurs.
        dense: float32 (n,), cosines.
        ceiling: The BM25 that no document exceeds for the query (`LexicalView.ceiling`); 0 if
            the query has no terms, and words then add nothing.
        lexical_weight: What a point of BM25 is worth in cosine to a passage that holds all of the
            question.

    Returns:
        float32 (n,).
    """
    coverage = lexical / np.float32(ceiling) if ceiling > 0 else np.zeros_like(lexical)
    return dense + np.float32(lexical_weight) * lexical * coverage


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
