import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import DimensionError, InputError
from konayuki.model.native import Table
from konayuki.model.native.binding import PLAIN

from .levels import at, each_level

TOLERANCE = 1e-6


def random_table(seed: int, vocab: int, width: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "codes": random.integers(0, 256, (vocab, width // 2), dtype=np.uint8),
        "scales": random.lognormal(0, 1, vocab).astype(np.float32),
        "alpha": random.normal(0.7, 0.4, width).astype(np.float32),
        "beta": random.normal(1, 0.3, width).astype(np.float32),
        "bias": random.normal(0, 0.3, width).astype(np.float32),
    }


def unpacked(parts: dict[str, Any]) -> np.ndarray:
    """The rows in float64, straight from the definition."""
    nibbles = np.stack([parts["codes"] >> 4, parts["codes"] & 15], axis=-1)
    return (nibbles.reshape(len(nibbles), -1) / 7.5 - 1) * parts["scales"][:, None]


def weighted_mean(rows: np.ndarray, bag: list[int], pooling: tuple[float, float]) -> np.ndarray:
    power, half = pooling
    counts = dict.fromkeys(bag, 0.0)
    for position, token in enumerate(bag):
        counts[token] += 1 / (1 + position / half)
    shares = np.array(list(counts.values())) ** power
    return shares @ rows[list(counts)] / shares.sum()


def pooled_by_definition(
    rows: np.ndarray,
    parts: dict[str, Any],
    bags: list[list[int]],
    dim: int,
    normalize: bool,
    pooling: tuple[float, float] = PLAIN,
) -> np.ndarray:
    out = np.zeros((len(bags), dim))
    for row, bag in enumerate(bags):
        if not bag:
            continue
        mean = weighted_mean(rows, bag, pooling)
        out[row] = (parts["beta"] * np.tanh(parts["alpha"] * mean + parts["bias"]))[:dim]
        if normalize and out[row].any():
            out[row] /= np.linalg.norm(out[row])
    return out


def as_batch(bags: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, bags)]).astype(np.int64)
    return np.array([token for bag in bags for token in bag], np.int32), offsets


def tables(
    level: str, parts: dict[str, Any], pooling: tuple[float, float] = PLAIN
) -> list[tuple[Table, np.ndarray]]:
    """The packed and the float table over the same values, each with its rows in float64."""
    rows = unpacked(parts)
    tanh = (parts["alpha"], parts["beta"], parts["bias"])
    as_float = rows.astype(np.float32)
    return [
        (at(level).packed_table(parts["codes"], parts["scales"], *tanh, pooling), rows),
        (at(level).float_table(as_float, *tanh, pooling), as_float.astype(np.float64)),
    ]


@each_level
@given(
    seed=st.integers(0, 2**32),
    half_width=st.integers(1, 300),
    bags=st.lists(st.lists(st.integers(0, 36), max_size=40), max_size=6),
    threads=st.integers(1, 3),
    normalize=st.booleans(),
    pooling=st.sampled_from([PLAIN, (0.5, math.inf), (1.0, 9.0), (0.5, 64.0), (0.3, 3.0)]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_pooling_is_the_definition(
    level: str,
    seed: int,
    half_width: int,
    bags: list[list[int]],
    threads: int,
    normalize: bool,
    pooling: tuple[float, float],
    data: st.DataObject,
) -> None:
    parts = random_table(seed, 37, 2 * half_width)
    dim = data.draw(st.integers(1, 2 * half_width), label="dim")
    ids, offsets = as_batch(bags)
    for table, rows in tables(level, parts, pooling):
        vectors = table.pool(ids, offsets, dim, normalize=normalize, threads=threads)

        wanted = pooled_by_definition(rows, parts, bags, dim, normalize, pooling)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, wanted, rtol=TOLERANCE, atol=TOLERANCE)


@each_level
def test_every_dim_is_the_start_of_the_full_vector(level: str) -> None:
    parts = random_table(1, 50, 386)
    ids, offsets = as_batch([list(range(20)), [3], [], list(range(49, -1, -1)) * 7])
    for table, _ in tables(level, parts):
        full = table.pool(ids, offsets, 386, normalize=False)
        for dim in range(1, 386):
            start = table.pool(ids, offsets, dim, normalize=False)

            np.testing.assert_array_equal(start, full[:, :dim])


@each_level
def test_a_text_of_a_million_tokens_is_as_exact_as_a_short_one(level: str) -> None:
    parts = random_table(2, 1000, 130)
    bag = np.random.default_rng(3).integers(0, 1000, 1_000_000).astype(np.int32)
    counts = np.bincount(bag, minlength=1000)
    for table, rows in tables(level, parts):
        vector = table.pool(bag, np.array([0, len(bag)]), 130, normalize=False)

        mean = counts @ rows / len(bag)
        wanted = parts["beta"] * np.tanh(parts["alpha"] * mean + parts["bias"])
        np.testing.assert_allclose(vector[0], wanted, rtol=TOLERANCE, atol=TOLERANCE)


@each_level
def test_tokens_are_counted_in_texts_of_any_length(level: str) -> None:
    parts, pooling = random_table(6, 300, 24), (0.5, 64.0)
    random = np.random.default_rng(7)
    bags = [random.integers(0, 300, n).tolist() for n in (100_000, 1, 3, 4, 5, 8, 9, 4097)]
    bags.append([7] * 1000)
    ids, offsets = as_batch(bags)
    for table, rows in tables(level, parts, pooling):
        vectors = table.pool(ids, offsets, 24, normalize=False)

        wanted = pooled_by_definition(rows, parts, bags, 24, False, pooling)
        np.testing.assert_allclose(vectors, wanted, rtol=2e-6, atol=2e-6)


@each_level
def test_a_large_batch_is_the_same_on_one_thread_and_on_three(level: str) -> None:
    parts = random_table(4, 500, 64)
    random = np.random.default_rng(5)
    lengths = random.integers(0, 60, 1500)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = random.integers(0, 500, offsets[-1]).astype(np.int32)
    for table, _ in tables(level, parts):
        alone = table.pool(ids, offsets, 64, normalize=True, threads=1)
        shared = table.pool(ids, offsets, 64, normalize=True, threads=3)

        np.testing.assert_array_equal(alone, shared)
        np.testing.assert_array_equal(alone[lengths == 0], 0)
        np.testing.assert_allclose(np.linalg.norm(alone[lengths > 0], axis=1), 1, atol=TOLERANCE)


@each_level
@pytest.mark.parametrize("value", [0.0, 1e-30, -1e-3, 0.3, -0.62, 2.5, 8.9, -9.1, 1e4, -3e38])
def test_tanh_is_right_from_tiny_to_saturated(level: str, value: float) -> None:
    one = np.ones(24, np.float32)
    table = at(level).float_table(
        np.full((1, 24), value, np.float32), one, one, np.zeros(24, np.float32)
    )

    vector = table.pool(np.zeros(1, np.int32), np.array([0, 1]), 24, normalize=False)

    np.testing.assert_allclose(vector[0], np.tanh(np.float64(value)), rtol=5e-7, atol=1e-37)


@each_level
@pytest.mark.parametrize("bad", [-1, 37, 2**31 - 1, -(2**31)])
def test_an_id_outside_the_table_is_refused(level: str, bad: int) -> None:
    table, _ = tables(level, random_table(6, 37, 16))[0]

    with pytest.raises(InputError, match=rf"token 2 has id {bad}: the table has rows 0 to 36"):
        table.pool(np.array([0, 36, bad], np.int32), np.array([0, 3]), 16, normalize=True)


@each_level
@pytest.mark.parametrize("offsets", [[0, 4], [0, 2, 1], [-1, 3], [0, 2**62], []])
def test_offsets_outside_the_ids_are_refused(level: str, offsets: list[int]) -> None:
    table, _ = tables(level, random_table(6, 37, 16))[0]

    with pytest.raises(InputError, match="offset"):
        table.pool(np.zeros(3, np.int32), np.array(offsets, np.int64), 16, normalize=True)


@each_level
@pytest.mark.parametrize("dim", [0, -1, 17])
def test_a_dim_that_the_table_lacks_is_refused(level: str, dim: int) -> None:
    table, _ = tables(level, random_table(6, 37, 16))[0]

    with pytest.raises(DimensionError, match=f"dim is {dim}: expected 1 to 16"):
        table.pool(np.zeros(1, np.int32), np.array([0, 1]), dim, normalize=True)


@each_level
def test_arrays_of_another_dtype_order_or_shape_are_refused(level: str) -> None:
    parts = random_table(7, 10, 16)
    kernel = at(level)
    tanh = (parts["alpha"], parts["beta"], parts["bias"])
    with pytest.raises(InputError, match="scales is float32"):
        kernel.packed_table(parts["codes"], parts["scales"][1:], *tanh)
    with pytest.raises(InputError, match="not contiguous"):
        kernel.packed_table(np.asfortranarray(parts["codes"]), parts["scales"], *tanh)
    with pytest.raises(InputError, match="bias is float64"):
        kernel.packed_table(parts["codes"], parts["scales"], *tanh[:2], tanh[2].astype(float))
    table = kernel.packed_table(parts["codes"], parts["scales"], *tanh)
    with pytest.raises(InputError, match="ids is int64"):
        table.pool(np.zeros(1, np.int64), np.array([0, 1]), 16, normalize=True)  # type: ignore[arg-type]


@each_level
def test_a_table_outlives_the_names_of_its_arrays(level: str) -> None:
    table, rows = tables(level, random_table(8, 5000, 512))[0]
    parts = random_table(8, 5000, 512)
    np.ones((5000, 512))  # something else may take memory that was freed too early

    vectors = table.pool(np.array([7, 4999], np.int32), np.array([0, 2]), 512, normalize=True)

    wanted = pooled_by_definition(rows, parts, [[7, 4999]], 512, True)
    np.testing.assert_allclose(vectors, wanted, atol=TOLERANCE)


@each_level
def test_a_tanh_narrower_than_the_rows_leaves_the_last_columns_alone(level: str) -> None:
    parts = random_table(9, 20, 34)
    ids, offsets = as_batch([[1, 2, 3], [19]])
    whole, _ = tables(level, parts)[0]
    narrow = at(level).packed_table(
        parts["codes"], parts["scales"], *(parts[name][:33] for name in ("alpha", "beta", "bias"))
    )

    vectors = narrow.pool(ids, offsets, 33, normalize=True)

    np.testing.assert_array_equal(vectors, whole.pool(ids, offsets, 33, normalize=True))
    with pytest.raises(DimensionError, match="expected 1 to 33"):
        narrow.pool(ids, offsets, 34, normalize=True)
