"""The fused score, and the bound that spares asking for scores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from konayuki.search.fusion import LEXICAL_WEIGHT, fuse, undecided


def test_words_count_as_much_as_the_passage_holds_of_the_question():
    lexical = np.array([0, 10, 40], np.float32)
    dense = np.array([0.5, -0.25, 0.125], np.float32)
    fused = fuse(lexical, dense, 40.0)
    expected = [0.5, -0.25 + LEXICAL_WEIGHT * 10 * 10 / 40, 0.125 + LEXICAL_WEIGHT * 40]
    np.testing.assert_allclose(fused, expected, rtol=1e-6)
    assert fused.dtype == np.float32


def test_the_weight_is_the_measured_one():
    assert LEXICAL_WEIGHT == 0.035
    fused = fuse(np.array([10], np.float32), np.zeros(1, np.float32), 20.0, lexical_weight=0.5)
    np.testing.assert_allclose(fused, [0.5 * 10 * 10 / 20])


def test_without_a_ceiling_only_the_cosine_counts():
    dense = np.array([0.5, -0.25], np.float32)
    fused = fuse(np.zeros(2, np.float32), dense, 0.0)
    np.testing.assert_array_equal(fused, dense)
    assert fused.dtype == np.float32


@given(
    lexical=st.lists(st.floats(0, 400, width=32), min_size=1, max_size=20),
    dense=st.floats(-1, 1, width=32),
    room=st.floats(0, 400, width=32),
)
def test_more_bm25_never_lowers_the_score(lexical, dense, room):
    rising = np.sort(np.array(lexical, np.float32))
    fused = fuse(rising, np.full(len(rising), dense, np.float32), float(rising[-1]) + room)
    assert (np.diff(fused) >= 0).all()


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
