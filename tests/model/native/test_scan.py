from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.model.native import Scanner

from .levels import LEVELS, at, each_level


def scanner(level: str) -> Scanner:
    return Scanner(at(level))


def cosines(matrix: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Exact sums, then the roundings that the kernel promises."""
    dots = (matrix.astype(np.int64) @ query).astype(np.float32)
    lengths = np.sqrt((matrix.astype(np.int64) ** 2).sum(axis=1).astype(np.float32))
    lengths *= np.sqrt(np.float32((query.astype(np.int64) ** 2).sum()))
    return np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)


def best_rows(scores: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
    rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    return rows[np.lexsort((rows, -scores[rows]))][:k]


@each_level
@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(0, 400),
    columns=st.integers(1, 330),
    k=st.integers(1, 500),
    levels=st.sampled_from([1, 3, 128]),
    share=st.sampled_from([None, 0.0, 0.2, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_the_best_rows_are_those_of_brute_force(
    level: str, seed: int, n_rows: int, columns: int, k: int, levels: int, share: float | None
) -> None:
    random = np.random.default_rng(seed)
    matrix = random.integers(-levels, levels, (n_rows, columns), dtype=np.int8)
    query = random.integers(-levels, levels, columns, dtype=np.int8)
    allowed = None if share is None else random.random(n_rows) < share

    rows, scores = scanner(level).nearest(matrix, query, k, allowed=allowed)

    exact = cosines(matrix, query)
    np.testing.assert_array_equal(rows, best_rows(exact, k, allowed))
    np.testing.assert_array_equal(scores, exact[rows])


@each_level
def test_extreme_values_do_not_wrap(level: str) -> None:
    matrix = np.full((3, 65536), -128, np.int8)
    matrix[1] = 127
    for value in (-128, 127):
        query = np.full(65536, value, np.int8)
        rows, scores = scanner(level).nearest(matrix, query, 3)

        assert rows.tolist() == ([0, 2, 1] if value < 0 else [1, 0, 2])
        np.testing.assert_allclose(scores, np.sort([np.sign(-value)] * 2 + [np.sign(value)])[::-1])


@cache
def large() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A matrix that several threads take on, a query, and rows by rank; ties abound."""
    random = np.random.default_rng(1)
    matrix = random.integers(-1, 2, (70000, 256), dtype=np.int8)
    query = random.integers(-1, 2, 256, dtype=np.int8)
    return matrix, query, best_rows(cosines(matrix, query), len(matrix), None)


@each_level
@pytest.mark.parametrize("k", [1, 7, 20000, 70001])
def test_threads_and_ties_do_not_change_the_answer(level: str, k: int) -> None:
    matrix, query, ranked = large()
    for threads in (1, 2, 5):
        rows, _ = scanner(level).nearest(matrix, query, k, threads=threads)

        np.testing.assert_array_equal(rows, ranked[:k])


@each_level
def test_given_rows_are_scored_and_sorted(level: str) -> None:
    random = np.random.default_rng(2)
    matrix = random.integers(-2, 3, (500, 70), dtype=np.int8)
    query = random.integers(-2, 3, 70, dtype=np.int8)
    given_rows = random.permutation(500)[:90].astype(np.int64)

    rows, scores = scanner(level).score(matrix, query, given_rows)

    exact = cosines(matrix, query)
    allowed = np.isin(np.arange(500), given_rows)
    np.testing.assert_array_equal(rows, best_rows(exact, 90, allowed))
    np.testing.assert_array_equal(scores, exact[rows])


@each_level
def test_what_does_not_fit_is_refused(level: str) -> None:
    scan = scanner(level)
    matrix, query = np.zeros((4, 8), np.int8), np.zeros(8, np.int8)
    with pytest.raises(InputError, match="k is 0"):
        scan.nearest(matrix, query, 0)
    with pytest.raises(InputError, match="query is int8"):
        scan.nearest(matrix, query[1:], 1)
    with pytest.raises(InputError, match="allowed is bool"):
        scan.nearest(matrix, query, 1, allowed=np.ones(3, np.bool_))
    with pytest.raises(InputError, match="65537 columns"):
        scan.nearest(np.zeros((1, 65537), np.int8), np.zeros(65537, np.int8), 1)
    for row in (-1, 4):
        with pytest.raises(InputError, match=f"row {row}: the matrix has rows 0 to 3"):
            scan.score(matrix, query, np.array([0, row]))


def sketch_values(matrix: np.ndarray) -> np.ndarray:
    """-3, -1, 1 or 3 for every entry, from the definition."""
    wide = matrix.astype(np.int64)
    squares = (wide**2).sum(axis=1, keepdims=True)
    large = wide**2 * matrix.shape[1] > squares
    return np.where(wide < 0, -1, 1) * np.where(large, 3, 1)


@each_level
@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(0, 300),
    columns=st.integers(1, 600),
    k=st.integers(1, 400),
    share=st.sampled_from([None, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_candidates_are_the_best_by_their_sketches(
    level: str, seed: int, n_rows: int, columns: int, k: int, share: float | None
) -> None:
    random = np.random.default_rng(seed)
    matrix = random.integers(-128, 128, (n_rows, columns), dtype=np.int8)
    query = random.integers(-128, 128, columns, dtype=np.int8)
    allowed = None if share is None else random.random(n_rows) < share
    sketches = scanner(level).sketches(matrix)

    rows = scanner(level).nearest_by_sketch(sketches, query, k, allowed=allowed)

    wanted = best_rows(sketch_values(matrix) @ query.astype(np.int64), k, allowed)
    np.testing.assert_array_equal(rows, wanted)


@each_level
def test_sketches_of_the_widest_rows_do_not_wrap(level: str) -> None:
    matrix = np.full((2, 65536), 127, np.int8)
    matrix[1, ::2] = -128
    query = np.full(65536, -128, np.int8)
    query[::2] = 127
    sketches = scanner(level).sketches(matrix)

    assert scanner(level).nearest_by_sketch(sketches, query, 2).tolist() == [0, 1]
    assert scanner(level).nearest_by_sketch(sketches, -1 - query, 2).tolist() == [1, 0]


def test_candidates_by_sketch_hold_the_nearest() -> None:
    random = np.random.default_rng(3)
    matrix = np.clip(np.rint(random.normal(0, 35, (20000, 512))), -127, 127).astype(np.int8)
    scan = scanner(LEVELS[0]) if LEVELS else pytest.skip("the extension is not built")
    sketches = scan.sketches(matrix)
    found = 0
    for row in range(20):
        query = np.clip(matrix[row] * 0.3 + random.normal(0, 30, 512), -127, 127).astype(np.int8)
        wanted, _ = scan.nearest(matrix, query, 10)
        rows, _ = scan.score(matrix, query, scan.nearest_by_sketch(sketches, query, 200))
        found += len(np.intersect1d(rows[:10], wanted))

    assert found >= 190
