"""Rows turn to their nearest, shared directions weaken, 4-bit rows keep what fine-tuning taught."""

import numpy as np
import pytest

pytest.importorskip("torch")

from konayuki.model.packed import FloatTable, PackedTable, dequantize, quantize
from konayuki.model.weights import Weights, straight_tanh
from konayuki.training import finish
from konayuki.training.finish import (
    N_NEAREST,
    SHARPNESS,
    even_directions,
    rounded_onto,
    silence_unknown,
    turn_to_neighbours,
)
from konayuki.training.pair_store import PairStore, SourceRows


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
    monkeypatch.setattr(finish, "BLOCK_ROWS", 17)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 12)).astype(np.float32)
    rows[5] = 0  # a piece that no text holds stays silent
    found = turn_to_neighbours(weights_of(rows), 0.5).float_table()
    expected = by_the_formula(rows, 0.5)
    assert not found.values[5].any()
    np.testing.assert_allclose(np.delete(found.values, 5, 0), np.delete(expected, 5, 0), atol=1e-5)


def test_a_larger_share_turns_rows_further_and_lengths_stay() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)

    def cosine(share: float) -> float:
        turned = turn_to_neighbours(weights_of(rows), share).float_table().values
        np.testing.assert_allclose(np.linalg.norm(turned, axis=1), lengths, rtol=1e-5)
        return float(((turned * rows).sum(1) / lengths**2).mean())

    assert cosine(1.0) < cosine(0.3) < cosine(0.01) < 1 + 1e-6
    assert cosine(0.01) > 0.9999


def test_no_share_changes_nothing() -> None:
    table = weights_of(np.ones((3, 4), np.float32))
    assert turn_to_neighbours(table, 0.0) is table


def store_of_one_piece_texts(n: int) -> PairStore:
    """Return pairs (i, i + 1) of texts that are one piece each."""
    pairs = np.stack([np.arange(n - 1), np.arange(1, n), np.full(n - 1, -1)], axis=1)
    sources = (SourceRows("a", 0, n // 2, 1.0), SourceRows("b", n // 2, n - 1, 1.0))
    ids, offsets = np.arange(n, dtype=np.uint16), np.arange(n + 1)
    return PairStore(ids, offsets, pairs.astype(np.int32), sources, n)


def uneven_weights(n: int, dim: int) -> Weights:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(n, dim)) * np.linspace(0.2, 3.0, dim)
    return Weights(FloatTable(rows.astype(np.float32)), *straight_tanh(dim))


@pytest.mark.parametrize("share", [0.15, 1.0])
def test_directions_become_more_even_by_the_formula(share: float) -> None:
    weights, store = uneven_weights(120, 8), store_of_one_piece_texts(120)
    rows = weights.float_table().values.astype(np.float64)
    texts = store.pairs[:, :2].ravel()
    units = rows[texts] / np.linalg.norm(rows[texts], axis=1, keepdims=True)
    strengths, directions = np.linalg.eigh(units.T @ units / len(units))
    factors = (strengths / strengths.mean()) ** (-share / 2)
    expected = rows @ (directions * factors) @ directions.T
    found = even_directions(weights, share, store).float_table().values
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_more_even_means_a_smaller_share_of_the_strongest_direction() -> None:
    weights, store = uneven_weights(200, 16), store_of_one_piece_texts(200)
    tops = []
    for share in (0.0, 0.3, 0.6):
        rows = even_directions(weights, share, store).float_table().values
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        tops.append(np.linalg.eigvalsh(units.T @ units)[-1])
    assert tops[0] > tops[1] > tops[2]
    assert even_directions(weights, 0.0, store) is weights


def test_what_no_piece_covers_has_a_row_of_zeros() -> None:
    weights = uneven_weights(6, 4)
    quiet = silence_unknown(weights, b'{"model": {"unk_id": 2}}').float_table().values
    assert not quiet[2].any()
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(quiet[others], weights.float_table().values[others])
    assert silence_unknown(weights, b'{"model": {"unk_id": null}}') is weights
