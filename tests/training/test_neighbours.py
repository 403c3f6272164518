"""Rows turn towards their nearest rows."""

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
    share: float,
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
        turned = units[row] + share * mean
        found[row] = lengths[row] * turned / np.linalg.norm(turned)
    return found.astype(np.float32)


def test_it_is_the_formula_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 17)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 12)).astype(np.float32)
    rows[5] = 0  # a piece that no text holds stays silent
    found = leaning_on_neighbours(weights_of(rows), 0.5).float_table()
    expected = by_the_formula(rows, 0.5)
    assert not found.values[5].any()
    np.testing.assert_allclose(np.delete(found.values, 5, 0), np.delete(expected, 5, 0), atol=1e-5)


def test_a_larger_share_turns_rows_further_and_lengths_stay() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)

    def cosine(share: float) -> float:
        turned = leaning_on_neighbours(weights_of(rows), share).float_table().values
        np.testing.assert_allclose(np.linalg.norm(turned, axis=1), lengths, rtol=1e-5)
        return float(((turned * rows).sum(1) / lengths**2).mean())

    assert cosine(1.0) < cosine(0.3) < cosine(0.01) < 1 + 1e-6
    assert cosine(0.01) > 0.9999


def test_no_share_changes_nothing() -> None:
    table = weights_of(np.ones((3, 4), np.float32))
    assert leaning_on_neighbours(table, 0.0) is table
