"""One score out of two: pure functions from lexical and dense scores to a ranking."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
DENSE_WEIGHT = 0.4


def fuse(lexical: Scores, dense: Scores, dense_weight: float = DENSE_WEIGHT) -> Scores:
    """Return one score per candidate, between 0 and 1.

    Args:
        lexical: float32 (n,), BM25; 0 where no term of the query occurs.
        dense: float32 (n,), cosines.
        dense_weight: Share of the dense part.

    Returns:
        float32 (n,).
    """
    best = lexical.max(initial=0.0)
    words = lexical / best if best > 0 else np.zeros_like(lexical)
    low, high = dense.min(initial=1.0), dense.max(initial=-1.0)
    meaning = (dense - low) / (high - low) if high > low else np.zeros_like(dense)
    weight = np.float32(dense_weight if best > 0 else 1.0)
    result: Scores = ((1 - weight) * words + weight * meaning).astype(np.float32)
    return result
