"""BM25 over pieces against the formula, one query and passage at a time."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy")

from konayuki.model.tokens import as_batch
from konayuki.search.bm25 import K1, B
from konayuki.training.word_scores import WordScores

BAGS = st.lists(st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=5)


def by_formula(query: list[int], passage: list[int], collection: list[list[int]]) -> float:
    mean_length = max(1.0, sum(map(len, collection)) / len(collection))
    counts = Counter(passage)

    def weight(piece: int) -> float:
        frequency = sum(piece in one for one in collection)
        return math.log(1 + (len(collection) - frequency + 0.5) / (frequency + 0.5))

    damping = K1 * (1 - B + B * len(passage) / mean_length)
    found = sum(
        weight(piece) * counts[piece] * (K1 + 1) / (counts[piece] + damping)
        for piece in set(query)
        if counts[piece]
    )
    return found / max(1e-6, sum(weight(piece) for piece in set(query)))


@given(queries=BAGS, passages=BAGS)
def test_scores_are_those_of_the_formula(
    queries: list[list[int]], passages: list[list[int]]
) -> None:
    collection, asked = (
        as_batch([np.array(bag, dtype=np.int32) for bag in bags]) for bags in (passages, queries)
    )
    found = WordScores(collection, vocab_size=7).scores(asked, collection)
    wanted = [[by_formula(one, other, passages) for other in passages] for one in queries]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
