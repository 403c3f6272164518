import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from mine_negatives.mining import (
    NegativeFilter,
    first_allowed,
    mine,
    nearest_passages,
    pair_scores,
    right_answers,
)


def unit_rows(rng: np.random.Generator, n_rows: int, dim: int = 8) -> np.ndarray:
    rows = rng.normal(size=(n_rows, dim)).astype("f4")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mined_by_hand(
    queries: np.ndarray,
    passages: np.ndarray,
    positives: np.ndarray,
    lists: list[tuple[np.ndarray, int]],
    right: np.ndarray,
    keep: NegativeFilter,
) -> list[list[int]]:
    found = []
    for query, vector in enumerate(queries):
        own = float(vector @ passages[positives[query]])
        bound = min(keep.ratio * own, own - keep.margin)
        used = {int(positives[query]), *right[query].tolist()}
        line: list[int] = []
        for candidates, n_wanted in lists:
            taken: list[int] = []
            for row in candidates[query].tolist():
                fine = row >= 0 and row not in used and float(vector @ passages[row]) <= bound
                if fine and len(taken) < n_wanted:
                    taken.append(row)
            used.update(taken)
            line += taken + [-1] * (n_wanted - len(taken))
        found.append(line)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 1.0), st.floats(0, 0.5))
def test_negatives_are_those_of_a_loop_over_the_candidates(
    seed: int, ratio: float, margin: float
) -> None:
    rng = np.random.default_rng(seed)
    queries, passages = unit_rows(rng, 7), unit_rows(rng, 12)
    positives = rng.integers(0, 12, 7)
    right = rng.integers(-1, 12, (7, 2)).astype(np.int32)
    other = np.stack([rng.permutation(12)[:6] for _ in range(7)]).astype(np.int32)
    other[:, 4:] = -1
    lists = [(nearest_passages(queries, passages, 9), 2), (other, 3)]
    keep = NegativeFilter(ratio, margin)

    found = mine(queries, passages, positives, lists, keep=keep, also_right=right)

    assert found.rows.tolist() == mined_by_hand(queries, passages, positives, lists, right, keep)
    own = (queries * passages[positives]).sum(1)
    np.testing.assert_allclose(found.scores[:, 0], own, atol=1e-3)
    for query, (rows, scores) in enumerate(zip(found.rows, found.scores[:, 1:], strict=True)):
        expected = np.where(rows >= 0, passages[rows] @ queries[query], np.nan)
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_a_candidate_near_the_right_passage_is_dropped() -> None:
    queries = np.array([[1.0, 0.0]], dtype="f4")
    passages = np.array([[0.9, 0.0], [0.89, 0.0], [0.8, 0.0], [0.1, 0.0]], dtype="f4")
    lists = [(np.array([[0, 1, 2, 3]], dtype=np.int32), 4)]

    by_ratio = mine(queries, passages, np.array([0]), lists, keep=NegativeFilter(0.95))
    by_margin = mine(queries, passages, np.array([0]), lists, keep=NegativeFilter(1.0, 0.5))

    assert by_ratio.rows.tolist() == [[2, 3, -1, -1]]
    assert by_margin.rows.tolist() == [[3, -1, -1, -1]]
    assert np.isnan(by_margin.scores[0, 2:]).all()


def test_nearest_passages_equal_a_stable_sort_in_every_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    queries = rng.integers(-2, 3, (23, 3)).astype("f4")  # small whole numbers give many ties
    passages = rng.integers(-2, 3, (40, 3)).astype("f4")
    expected = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :6]

    monkeypatch.setattr("mine_negatives.mining.BLOCK_QUERIES", 5)

    np.testing.assert_array_equal(nearest_passages(queries, passages, 6), expected)
    assert nearest_passages(queries, passages, 99).shape == (23, 40)
    assert nearest_passages(queries[:0], passages, 6).shape == (0, 6)


def test_scores_are_inner_products_and_nan_beside_none() -> None:
    rng = np.random.default_rng(4)
    queries, passages = unit_rows(rng, 3), unit_rows(rng, 5).astype(np.float16)
    rows = np.array([[0, 4], [2, -1], [-1, 3]], dtype=np.int32)
    expected = np.einsum("qd,qkd->qk", queries, passages[rows].astype("f4"))
    expected[rows < 0] = np.nan

    np.testing.assert_allclose(pair_scores(queries, passages, rows), expected, atol=1e-6)


def test_first_allowed_keeps_the_order_of_candidates() -> None:
    candidates = np.array([[5, 3, 9, 1], [2, 4, 6, 8]], dtype=np.int32)
    allowed = np.array([[False, True, True, True], [False, False, False, True]])

    rows, places = first_allowed(candidates, allowed, 2)

    assert rows.tolist() == [[3, 9], [8, -1]]
    assert places.tolist() == [[1, 2], [3, -1]]


def test_right_answers_gather_all_pairs_of_a_query() -> None:
    right = right_answers(["a", "b", "a", "a"], np.array([4, 5, 6, 4]), at_most=3)

    assert right.tolist() == [[4, 6, -1], [5, -1, -1], [4, 6, -1], [4, 6, -1]]


def test_arrays_that_do_not_fit_and_bounds_out_of_range_are_refused() -> None:
    vectors = np.eye(2, dtype="f4")
    rows = np.zeros((3, 1), dtype=np.int32)
    keep = NegativeFilter()
    with pytest.raises(InputError, match=r"2 queries with arrays of \[2, 3\]"):
        mine(vectors, vectors, np.array([0, 1]), [(rows, 1)], keep=keep)
    with pytest.raises(InputError, match="no list"):
        mine(vectors, vectors, np.array([0, 1]), [], keep=keep)
    with pytest.raises(InputError, match=r"ratio=1\.5"):
        NegativeFilter(1.5)
