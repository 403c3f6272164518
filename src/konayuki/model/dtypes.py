"""Vectors in fewer bytes: float16, int8, uint8 and bits, as vector engines take them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix
from konayuki.choices import DTYPES, Dtype
from konayuki.errors import DimensionError, InputError

_STEPS = np.float32(255)
_LARGEST = np.float32(127)


class EncodeOptions(NamedTuple):
    """What the vectors of one call look like.

    Attributes:
        dim: The number of values of a vector.
        normalize: Whether vectors are scaled to length one.
        strict: Whether empty texts are refused.
        dtype: The dtype that they are stored in.
        ranges: The float32 (2, dim) of int8 and uint8, if they were given.
    """

    dim: int
    normalize: bool
    strict: bool
    dtype: Dtype
    ranges: FloatMatrix | None

    def empty(self, n_texts: int) -> NDArray[Any]:
        """Return an array for the vectors of N texts."""
        return np.empty((n_texts, stored_columns(self.dtype, self.dim)), stored_dtype(self.dtype))

    def stored(self, vectors: FloatMatrix) -> NDArray[Any]:
        """Return float32 vectors as they are stored."""
        return quantize_vectors(vectors, self.dtype, ranges=self.ranges)


def stored_dtype(dtype: Dtype) -> np.dtype[Any]:
    """Return the NumPy dtype that `dtype` is stored in: bits lie in int8 or uint8.

    Raises:
        InputError: There is no such dtype.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}: expected one of {', '.join(DTYPES)}")
    return np.dtype({"binary": "int8", "ubinary": "uint8"}.get(dtype, dtype))


def stored_columns(dtype: Dtype, dim: int) -> int:
    """Return the columns of `dim` values: an eighth of them, rounded up, if they are bits."""
    return (dim + 7) // 8 if dtype in {"binary", "ubinary"} else dim


def calibrate(vectors: FloatMatrix) -> FloatMatrix:
    """Return the smallest and the largest value of each column: float32 (2, dim).

    These are the `ranges` of int8 and uint8, here and in sentence-transformers'
    `quantize_embeddings`. Take them once, from some thousand texts of the kind at hand, and use
    them for all texts: codes of different ranges cannot be compared.

    Args:
        vectors: The vectors, float32 (n, dim), n at least 2.

    Raises:
        InputError: Fewer than two vectors.

    Examples:
        >>> calibrate(np.array([[-1, 0.5], [1, 0.25]], dtype=np.float32)).tolist()
        [[-1.0, 0.25], [1.0, 0.5]]
    """
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.ndim != 2 or len(rows) < 2:
        raise InputError(f"cannot calibrate on shape {rows.shape}: expected (n, dim), n >= 2")
    return np.stack([rows.min(axis=0), rows.max(axis=0)])


def checked_ranges(ranges: FloatMatrix | None, dtype: Dtype, dim: int) -> FloatMatrix | None:
    """Return ranges that fit, float32 (2, dim); None if there are none and none are needed.

    Raises:
        InputError: There is no such dtype; or ranges are missing, not wanted, or damaged.
        DimensionError: They are of another dimension.
    """
    stored_dtype(dtype)
    if ranges is None:
        if dtype == "uint8":
            raise InputError(
                "dtype is 'uint8': expected ranges of each column, (2, dim), with it\n"
                "hint: ranges=calibrate(model.encode(sample)), with konayuki.model.calibrate"
            )
        return None
    if dtype not in {"int8", "uint8"}:
        raise InputError(f"ranges are given with dtype {dtype!r}: expected 'int8' or 'uint8'")
    limits = np.asarray(ranges, dtype=np.float32)
    if limits.shape != (2, dim):
        raise DimensionError(f"ranges have shape {limits.shape}: expected (2, {dim})")
    if not (np.isfinite(limits).all() and (limits[0] <= limits[1]).all()):
        raise InputError("ranges: expected finite values, each minimum at most its maximum")
    return limits


def quantize_vectors(
    vectors: FloatMatrix, dtype: Dtype, *, ranges: FloatMatrix | None = None
) -> NDArray[Any]:
    """Return vectors in another dtype.

    - `float32`, `float16`: (n, dim), as they are.
    - `int8` (n, dim): each row scaled so that its largest value becomes 127. Codes of any two
      texts compare by cosine; the length of a vector is lost.
    - `int8`, `uint8` (n, dim) with `ranges`: 256 even steps from the minimum to the maximum of
      each column, code for code those of sentence-transformers' `quantize_embeddings`.
    - `ubinary`: uint8 (n, ceil(dim / 8)), a bit per column, set if the value is above zero;
      the first column is the highest bit of the first byte, as in `numpy.packbits`, usearch's
      `b1` and faiss's binary indexes. `binary`: the same bytes less 128, as int8.

    Args:
        vectors: The vectors, float32 (n, dim) or (dim,).
        dtype: The dtype to return.
        ranges: The float32 (2, dim) from `calibrate`; for int8 and uint8, which needs it.

    Raises:
        InputError: There is no such dtype, or the ranges do not go with it.
        DimensionError: The ranges are of another dimension.

    Examples:
        >>> vectors = np.array([[-1, 0.5], [0.25, 1]], dtype=np.float32)
        >>> quantize_vectors(vectors, "int8").tolist()
        [[-127, 64], [32, 127]]
        >>> quantize_vectors(vectors, "ubinary").tolist()  # the bits 01 and 11
        [[64], [192]]
    """
    values = np.asarray(vectors, dtype=np.float32)
    limits = checked_ranges(ranges, dtype, values.shape[-1])
    if limits is not None:
        codes = _in_ranges(values, limits)
        return codes.astype(np.uint8) if dtype == "uint8" else (codes - 128).astype(np.int8)
    if dtype == "int8":
        return _directions(values)
    if dtype in {"binary", "ubinary"}:
        bits = np.packbits(values > 0, axis=-1)
        return bits if dtype == "ubinary" else (bits ^ 128).view(np.int8)
    return values.astype(stored_dtype(dtype), copy=False)


def _in_ranges(values: FloatMatrix, limits: FloatMatrix) -> FloatMatrix:
    """Return the step of each value, 0 to 255; a column without a range has steps of one."""
    starts = limits[0]
    steps = (limits[1] - starts) / _STEPS
    steps[steps == 0] = 1
    codes: FloatMatrix = np.clip(np.floor((values - starts) / steps), 0, _STEPS)
    return codes


def _directions(values: FloatMatrix) -> NDArray[np.int8]:
    """Return rows whose largest value is 127, as an index keeps them; zero rows stay zero."""
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0)
    scales = np.divide(_LARGEST, largest, out=np.zeros_like(largest), where=largest > 0)
    codes: NDArray[np.int8] = np.rint(values * scales).astype(np.int8)
    return codes
