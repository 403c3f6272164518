"""Vectors in fewer bytes, against sentence-transformers, NumPy, usearch, faiss and our Index."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from konayuki.errors import DimensionError, InputError
from konayuki.model import calibrate, quantize_vectors
from konayuki.model.dtypes import DTYPES
from konayuki.model.static import StaticModel

from .samples import TEXT, small_model

TEXTS = [*TEXT.splitlines(), "", "富士山", "朝の空気", "図書館で本を借りる", "山 " * 50]
# Reciprocals of smaller numbers overflow; no vector of a model consists of such alone.
FINITE = st.floats(-8, 8, width=32).map(lambda value: value if abs(value) > 1e-20 else 0.0)
MATRICES = st.tuples(st.integers(2, 9), st.integers(1, 20)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=FINITE)
)


@pytest.fixture(scope="module")
def model() -> StaticModel:
    return small_model(dim=20)


def theirs(vectors: np.ndarray, precision: str, **options: Any) -> np.ndarray:
    return pytest.importorskip("sentence_transformers.util").quantize_embeddings(
        vectors, precision, **options
    )


@given(MATRICES, MATRICES)
@settings(max_examples=40, deadline=None)
def test_codes_in_ranges_are_those_of_sentence_transformers(
    sample: np.ndarray, vectors: np.ndarray
) -> None:
    dim = min(sample.shape[1], vectors.shape[1])
    sample, vectors = sample[:, :dim], vectors[:, :dim]
    ranges = calibrate(sample)

    for dtype in ("int8", "uint8"):
        codes = quantize_vectors(vectors, dtype, ranges=ranges)
        wanted = theirs(vectors, dtype, ranges=ranges)

        assert codes.dtype == wanted.dtype
        np.testing.assert_array_equal(codes, wanted)
        np.testing.assert_array_equal(
            codes, theirs(vectors, dtype, calibration_embeddings=sample), "calibration"
        )


@given(MATRICES)
@settings(max_examples=40, deadline=None)
def test_bits_are_those_of_sentence_transformers(vectors: np.ndarray) -> None:
    for dtype in ("binary", "ubinary"):
        bits, wanted = quantize_vectors(vectors, dtype), theirs(vectors, dtype)

        assert bits.dtype == wanted.dtype
        np.testing.assert_array_equal(bits, wanted)
    np.testing.assert_array_equal(
        quantize_vectors(vectors, "binary").astype(int) + 128, quantize_vectors(vectors, "ubinary")
    )


@given(MATRICES)
@settings(max_examples=40, deadline=None)
def test_int8_keeps_directions_within_half_a_step(vectors: np.ndarray) -> None:
    codes = quantize_vectors(vectors, "int8")

    steps = np.abs(vectors).max(axis=1, keepdims=True).astype(np.float64) / 127
    assert (np.abs(codes * steps - vectors) <= 0.5001 * steps).all()


def test_the_first_column_is_the_highest_bit() -> None:
    vector = np.array([1, -1, -1, 0, -1, -1, -1, 1, 1], np.float32)

    np.testing.assert_array_equal(quantize_vectors(vector, "ubinary"), [0b10000001, 0b10000000])
    np.testing.assert_array_equal(quantize_vectors(vector, "binary"), [1, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [None, 11])
def test_encode_gives_what_quantizing_its_vectors_gives(
    model: StaticModel, dtype: Any, dim: int | None
) -> None:
    floats = model.encode(TEXTS, dim=dim)
    ranges = calibrate(floats) if dtype == "uint8" else None
    wanted = quantize_vectors(floats, dtype, ranges=ranges)

    for texts in (TEXTS, tuple(TEXTS), iter(TEXTS)):
        found = model.encode(texts, dim=dim, dtype=dtype, ranges=ranges, batch_size=3)
        assert found.dtype == wanted.dtype
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, wanted)
    single = model.encode(TEXTS[0], dim=dim, dtype=dtype, ranges=ranges)
    np.testing.assert_array_equal(single, wanted[0])
    for nothing in ([], iter([])):
        empty = model.encode(nothing, dim=dim, dtype=dtype, ranges=ranges)
        assert (empty.shape, empty.dtype) == ((0, wanted.shape[1]), wanted.dtype)


def test_codes_do_not_depend_on_the_texts_beside_them_or_on_length(model: StaticModel) -> None:
    together = model.encode(TEXTS, dtype="int8")

    alone = np.stack([model.encode(text, dtype="int8") for text in TEXTS])
    unscaled = model.encode(TEXTS, normalize=False, dtype="int8")

    np.testing.assert_array_equal(together, alone)
    assert np.abs(unscaled.astype(int) - together).max() <= 1  # a rounding apart


def test_cosines_of_int8_are_those_of_float32() -> None:
    model = StaticModel.load()
    texts = [line for line in TEXTS if line]

    exact = model.similarity(texts, texts)
    codes = model.encode(texts, dtype="int8")

    np.testing.assert_allclose(model.similarity(codes, codes), exact, atol=4e-3)


def test_usearch_takes_int8_for_cosines_and_ubinary_for_bits(model: StaticModel) -> None:
    usearch = pytest.importorskip("usearch.index")
    keys = np.arange(len(TEXTS))

    codes = model.encode(TEXTS, dtype="int8")
    index = usearch.Index(ndim=model.dim, metric="cos", dtype="i8")
    index.add(keys, codes)
    found = index.search(codes[3], 1, exact=True)
    assert list(found.keys) == [3]

    bits = model.encode(TEXTS, dim=16, dtype="ubinary")
    index = usearch.Index(ndim=16, metric="hamming", dtype="b1")
    index.add(keys, bits)
    found = index.search(bits[3], len(TEXTS), exact=True)
    signs = model.encode(TEXTS, dim=16) > 0
    np.testing.assert_array_equal(found.distances, (signs[found.keys] != signs[3]).sum(axis=1))


def test_faiss_takes_ubinary(model: StaticModel) -> None:
    faiss = pytest.importorskip("faiss")
    bits = model.encode(TEXTS, dim=16, dtype="ubinary")

    index = faiss.IndexBinaryFlat(16)
    index.add(bits)
    distances, places = index.search(bits[3:4], len(TEXTS))

    signs = model.encode(TEXTS, dim=16) > 0
    np.testing.assert_array_equal(distances[0], (signs[places[0]] != signs[3]).sum(axis=1))


def test_wrong_dtypes_and_ranges_say_what_is_wrong(model: StaticModel) -> None:
    ranges = calibrate(model.encode(TEXTS))
    with pytest.raises(InputError, match=r"dtype is 'int4': expected one of float32, .*, ubinary"):
        model.encode(TEXTS, dtype="int4")
    with pytest.raises(InputError, match=r"'uint8': expected ranges(.|\n)*hint: ranges=calibrate"):
        model.encode(TEXTS, dtype="uint8")
    with pytest.raises(InputError, match="ranges are given with dtype 'binary'"):
        model.encode(TEXTS, dtype="binary", ranges=ranges)
    with pytest.raises(DimensionError, match=r"shape \(2, 20\): expected \(2, 8\)"):
        model.encode(TEXTS, dim=8, dtype="int8", ranges=ranges)
    with pytest.raises(InputError, match="each minimum at most its maximum"):
        model.encode(TEXTS, dtype="int8", ranges=ranges[::-1])
    with pytest.raises(InputError, match=r"cannot calibrate on shape \(1, 20\)"):
        calibrate(model.encode(TEXTS[:1]))
