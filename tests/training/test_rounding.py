"""4-bit rows that keep what fine-tuning has learned."""

import numpy as np
import pytest

pytest.importorskip("torch")

from konayuki.model.packed import FloatTable, PackedTable, dequantize, quantize
from konayuki.model.weights import Weights, straight_tanh
from konayuki.training.rounding import rounded_onto


@pytest.fixture(scope="module")
def start() -> PackedTable:
    return quantize(np.random.default_rng(0).normal(size=(600, 32)).astype(np.float32))


def rounded(rows: np.ndarray, start: PackedTable, seed: int = 0) -> PackedTable:
    weights = Weights(FloatTable(rows), *straight_tanh(rows.shape[1]))
    return rounded_onto(weights, start, seed=seed).packed_table()


def test_rows_that_did_not_change_keep_their_codes(start: PackedTable) -> None:
    again = rounded(dequantize(start), start)
    np.testing.assert_array_equal(again.codes, start.codes)
    np.testing.assert_array_equal(again.scales, start.scales)


def test_a_change_of_less_than_half_a_step_stays_in_the_mean(start: PackedTable) -> None:
    rng = np.random.default_rng(1)
    moved = dequantize(start)
    step = start.scales[:, None] / 7.5
    direction = rng.choice([-1, 1], size=32).astype(np.float32)
    inside = np.abs(moved) < 0.8 * start.scales[:, None]
    moved += np.where(inside, 0.2 * step * direction, 0)

    table = dequantize(rounded(moved, start))
    nearest = dequantize(quantize(moved))
    wanted = np.where(inside, moved - dequantize(start), 0).mean(axis=0)
    np.testing.assert_allclose((table - dequantize(start)).mean(axis=0), wanted, atol=0.02)
    assert np.abs((nearest - dequantize(start)).mean(axis=0)).max() < np.abs(wanted).min() / 2
    assert np.abs(table - moved).max() <= step.max()  # one of the two codes around a value


def test_a_row_that_outgrew_its_scale_gets_the_seeds(start: PackedTable) -> None:
    rows = dequantize(start)
    rows[3] *= 2
    rows[5] *= 1.01
    scales = rounded(rows, start).scales
    assert scales[3] == pytest.approx(np.abs(rows[3]).max() + 1e-8)
    assert scales[5] == start.scales[5]
    np.testing.assert_array_equal(np.delete(scales, 3), np.delete(start.scales, 3))


def test_draws_follow_the_seed(start: PackedTable) -> None:
    rows = dequantize(start) + 0.1
    one, same, other = (rounded(rows, start, seed=seed).codes for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
