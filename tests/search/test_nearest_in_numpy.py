"""The scan without the kernel against the kernel's, to the last bit."""

import numpy as np
import pytest

from konayuki.model.native import kernel
from konayuki.search.nearest import nearest


@pytest.mark.skipif(kernel() is None, reason="the extension is not built")
@pytest.mark.parametrize("dim", [1, 7, 512, 1500])
def test_numpy_finds_what_the_kernel_finds(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(dim)
    codes = random.integers(-3, 4, (9000, dim), dtype=np.int8)  # ties abound
    codes[::7] = random.integers(-127, 128, (len(codes[::7]), dim), dtype=np.int8)
    codes[5::50] = 0
    queries = [random.integers(-127, 128, dim, dtype=np.int8), np.zeros(dim, np.int8)]
    masks = [None, random.random(9000) < 0.3, np.arange(9000) == 4097, np.zeros(9000, bool)]
    cases = [(q, k, mask) for q in queries for k in (1, 10, 5000, 20000) for mask in masks]
    expected = [nearest(codes, *case) for case in cases]

    monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")
    for case, (rows, scores) in zip(cases, expected, strict=True):
        own_rows, own_scores = nearest(codes, *case)
        np.testing.assert_array_equal(own_rows, rows)
        np.testing.assert_array_equal(own_scores, scores)


def test_brute_force_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")
    random = np.random.default_rng(0)
    codes = random.integers(-127, 128, (5000, 33), dtype=np.int8)
    query = codes[4321]
    rows, scores = nearest(codes, query, 4)

    exact = codes @ query.astype(np.int64) / np.linalg.norm(codes.astype(float), axis=1)
    assert rows.tolist() == np.argsort(-exact)[:4].tolist()
    np.testing.assert_allclose(scores, exact[rows] / np.linalg.norm(query.astype(float)), rtol=1e-6)
