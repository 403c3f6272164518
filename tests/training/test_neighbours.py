"""Rows turn towards their nearest rows, rare ones most."""

import numpy as np
import pytest

pytest.importorskip("torch")

from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights, straight_tanh
from konayuki.training import neighbours
from konayuki.training.neighbours import (
    N_NEAREST,
    SHARPNESS,
    leaning_on_neighbours,
)


def weights_of(rows: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> Weights:
    return Weights(FloatTable(rows), *straight_tanh(rows.shape[1]))


def by_the_formula(
    rows: "np.ndarray[tuple[int, int], np.dtype[np.float32]]",
    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    share: float,
    rare: float,
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Row by row, in float64."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    units = wide / np.where(lengths, lengths, 1)[:, None]
    found = np.zeros_like(wide)
    for row in range(len(rows)):
        cosines = units @ units[row]
        cosines[row] = -1
        nearest = np.argsort(-cosines, kind="stable")[:N_NEAREST]
        strengths = np.exp(SHARPNESS * cosines[nearest])
        mean = (units[nearest] * (strengths / strengths.sum())[:, None]).sum(axis=0)
        turned = units[row] + share * rare / (rare + counts[row]) * mean
        found[row] = lengths[row] * turned / np.linalg.norm(turned)
    return found.astype(np.float32)


def test_it_is_the_formula_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 17)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 12)).astype(np.float32)
    rows[5] = 0  # a piece that no text holds stays silent
    counts = rng.integers(0, 5000, 60)
    found = leaning_on_neighbours(weights_of(rows), counts, share=0.5, rare=2000).float_table()
    expected = by_the_formula(rows, counts, 0.5, 2000)
    assert not found.values[5].any()
    np.testing.assert_allclose(np.delete(found.values, 5, 0), np.delete(expected, 5, 0), atol=1e-5)


def test_a_rare_row_turns_further_and_lengths_stay() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 8)).astype(np.float32)
    table = weights_of(rows)

    def turn(count: int) -> float:
        counts = np.full(50, count)
        turned = leaning_on_neighbours(table, counts, share=0.5, rare=100).float_table().values
        lengths = np.linalg.norm(rows, axis=1)
        np.testing.assert_allclose(np.linalg.norm(turned, axis=1), lengths, rtol=1e-5)
        return float(((turned * rows).sum(1) / lengths**2).mean())

    assert turn(0) < turn(100) < turn(100_000) < 1 + 1e-6
    assert turn(100_000) > 0.9999


def test_no_share_changes_nothing() -> None:
    table = weights_of(np.ones((3, 4), np.float32))
    assert leaning_on_neighbours(table, np.zeros(3, np.int64), share=0.0, rare=1.0) is table
