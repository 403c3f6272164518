import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import DimensionError
from konayuki.model.packed import PackedTable, dequantize, quantize


def packed_by_the_card(table: np.ndarray) -> bytes:
    """The seed's quantiser, row by row, as its model card and files define it."""
    codes = bytearray()
    scales = bytearray()
    for row in table:
        scale = np.float32(np.max(np.abs(row)) + np.float32(1e-8))
        levels = np.clip(np.rint((row / scale + np.float32(1)) * np.float32(7.5)), 0, 15)
        for even, odd in levels.astype(int).reshape(-1, 2):
            codes.append(even * 16 + odd)
        scales += np.array([scale], dtype="<f4").tobytes()
    return bytes(codes + scales)


def tables() -> st.SearchStrategy[np.ndarray]:
    def draw(seed: int, rows: int, half: int, spread: float) -> np.ndarray:
        random = np.random.default_rng(seed)
        table = random.normal(0, 1, (rows, 2 * half)) * 10 ** random.normal(0, spread, (rows, 1))
        return table.astype(np.float32)

    return st.builds(
        draw, st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.floats(0, 3)
    )


def as_bytes(packed: PackedTable) -> bytes:
    return packed.codes.tobytes() + packed.scales.tobytes()


@given(table=tables())
@settings(max_examples=150, deadline=None)
def test_the_bytes_are_those_of_the_seed(table: np.ndarray) -> None:
    assert as_bytes(quantize(table)) == packed_by_the_card(table)


def test_the_bytes_of_a_large_table_are_those_of_the_seed() -> None:
    table = np.random.default_rng(5).normal(0, 1, (5000, 64)).astype(np.float32)

    assert as_bytes(quantize(table)) == packed_by_the_card(table)


def test_halves_are_rounded_to_even() -> None:
    # (x / 1 + 1) * 7.5 is 7.5 for 0: the even neighbour is 8
    assert quantize(np.array([[1, 0]], dtype=np.float32)).codes.tolist() == [[15 << 4 | 8]]


@given(table=tables())
@settings(max_examples=100, deadline=None)
def test_no_value_is_off_by_more_than_a_fifteenth_of_the_scale(table: np.ndarray) -> None:
    packed = quantize(table)

    error = np.abs(dequantize(packed) - table)
    assert (error <= packed.scales[:, None] * (1 / 15 + 1e-6)).all()


@given(table=tables(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_cropped_rows_are_the_start_of_the_rows(table: np.ndarray, data: st.DataObject) -> None:
    packed = quantize(table)
    dim = data.draw(st.integers(1, packed.dim))
    ids = np.arange(packed.vocab_size)

    np.testing.assert_array_equal(packed.crop(dim).rows(ids, dim), dequantize(packed)[:, :dim])


@given(table=tables())
@settings(max_examples=100, deadline=None)
def test_searched_scales_are_never_worse(table: np.ndarray) -> None:
    seed, nearest = quantize(table), quantize(table, nearest=True)
    assert (nearest.scales <= seed.scales).all()
    errors = [np.square(dequantize(one) - table).sum(axis=1) for one in (nearest, seed)]
    assert (errors[0] <= errors[1] * (1 + 1e-5) + 1e-12).all()


def test_searched_scales_are_the_best_of_those_tried() -> None:
    table = np.random.default_rng(3).normal(0, 1, (20, 512)).astype(np.float32)
    found = np.square(dequantize(quantize(table, nearest=True)) - table).sum(axis=1)
    largest = np.abs(table).max(axis=1, keepdims=True)
    errors = []
    for share in np.arange(0.5, 1.001, 0.02):
        scale = largest * share
        levels = np.clip(np.rint((table / scale + 1) * 7.5), 0, 15)
        errors.append(np.square((levels / 7.5 - 1) * scale - table).sum(axis=1))
    np.testing.assert_allclose(found, np.min(errors, axis=0), rtol=1e-3)
    plain = np.square(dequantize(quantize(table)) - table).sum()
    assert found.sum() < 0.85 * plain


def test_zero_rows_stay_finite_and_tiny() -> None:
    assert np.abs(dequantize(quantize(np.zeros((2, 4), dtype=np.float32)))).max() <= 1e-8


def test_odd_columns_are_refused() -> None:
    with pytest.raises(DimensionError, match="3 dimensions: expected an even number"):
        quantize(np.zeros((2, 3), dtype=np.float32))


def test_a_row_of_zeros_stays_zero_on_the_nearest_scale() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    rows[3] = 0.0
    packed = quantize(rows, nearest=True)
    assert packed.scales[3] == 0.0
    assert not dequantize(packed)[3].any()
    assert dequantize(packed)[[0, 1, 2, 4]].any(axis=1).all()
