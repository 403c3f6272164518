"""The fused score, and the bound that spares asking for scores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from konayuki.search.fusion import LEXICAL_WEIGHT, fuse, undecided


def test_the_score_is_the_sum_of_its_parts():
    lexical = np.array([0, 10], np.float32)
    dense = np.array([0.5, -0.25], np.float32)
    expected = [0.5, -0.25 + 10 * LEXICAL_WEIGHT]
    np.testing.assert_allclose(fuse(lexical, dense), expected, rtol=1e-6)
    assert fuse(lexical, dense).dtype == np.float32


scores = st.lists(st.floats(0, 1, width=32), min_size=0, max_size=12)


@given(known=scores, pairs=st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 3), max_size=12),
       k=st.integers(1, 30))  # fmt: skip
def test_a_candidate_that_is_ruled_out_is_never_among_the_best(known, pairs, k):
    bounds = np.sort(np.array(pairs, np.float32).reshape(-1, 3), axis=1)
    floors, true, ceilings = bounds.T
    open_ones = undecided(np.array(known, np.float32), floors, ceilings, k)
    everything = np.sort(np.concatenate([np.array(known, np.float32), true]))[::-1]
    cutoff = everything[min(k, len(everything)) - 1] if len(everything) else 0
    assert (true[~open_ones] < cutoff).all()
