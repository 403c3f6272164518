import math
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.search.bm25 import K1, B
from mine_negatives.bigrams import POINT_BITS, BigramIndex, bigrams_of

texts_of = st.lists(st.text("ab富士山ー 。Ａ１", max_size=12), min_size=1, max_size=12)


def plain_bigrams(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).lower()
    runs = "".join(c if c.isalnum() or c == "ー" else " " for c in folded).split()
    return [run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))]


def spelled(term: int) -> str:
    left, right = term >> POINT_BITS, term & ((1 << POINT_BITS) - 1)
    return (chr(left) if left else "") + chr(right)


@given(texts_of)
def test_bigrams_are_those_of_a_loop_over_the_text(texts: list[str]) -> None:
    found = bigrams_of(texts)
    for number, text in enumerate(texts):
        terms = found.terms[found.offsets[number] : found.offsets[number + 1]]
        assert [spelled(term) for term in terms.tolist()] == plain_bigrams(text)


def plain_bm25(query: str, passages: list[str]) -> list[float]:
    counts = [Counter(plain_bigrams(passage)) for passage in passages]
    lengths = [sum(count.values()) for count in counts]
    average = max(sum(lengths) / len(lengths), 1.0)
    scores = []
    for count, length in zip(counts, lengths, strict=True):
        score = 0.0
        for term in plain_bigrams(query):
            holding = sum(term in other for other in counts)
            rarity = math.log(1 + (len(passages) - holding + 0.5) / (holding + 0.5))
            room = K1 * (1 - B + B * length / average)
            score += rarity * count[term] * (K1 + 1) / (count[term] + room) if count[term] else 0.0
        scores.append(score)
    return scores


@given(texts_of, st.text("ab富士山ー 。Ａ１", max_size=12), st.integers(1, 14))
def test_scores_and_order_equal_the_formula_by_hand(
    passages: list[str], query: str, k: int
) -> None:
    rows, scores = BigramIndex(passages).top([query], k)
    expected = np.array(plain_bm25(query, passages), dtype=np.float32)
    n_found = int((rows[0] >= 0).sum())

    assert n_found == min(k, int((expected > 0).sum()))
    np.testing.assert_allclose(scores[0, :n_found], np.sort(expected)[::-1][:n_found], rtol=1e-5)
    np.testing.assert_allclose(expected[rows[0, :n_found]], scores[0, :n_found], rtol=1e-5)
    assert (rows[0, n_found:] == -1).all() and (scores[0, n_found:] == 0).all()


def test_equal_scores_keep_the_order_of_passages() -> None:
    rows, _ = BigramIndex(["湖", "富士山", "富士山", "富士山"]).top(["富士"], 2)

    assert rows.tolist() == [[1, 2]]


def test_an_empty_query_and_an_unknown_one_find_nothing() -> None:
    rows, scores = BigramIndex(["富士山"]).top(["", "湖畔"], 3)

    assert (rows == -1).all() and not scores.any()


@pytest.mark.parametrize("k", [1, 5])
def test_no_queries_give_no_rows(k: int) -> None:
    assert BigramIndex(["富士山"]).top([], k)[0].shape == (0, k)
