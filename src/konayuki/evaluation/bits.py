"""A model with rows of other bit widths: the seed's quantiser, generalised from 4 bits."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.errors import InputError
from konayuki.extras import require

if TYPE_CHECKING:
    from konayuki.model import StaticModel

FLOAT_BITS = 32
WIDEST = 8


def round_rows(rows: FloatMatrix, bits: int) -> FloatMatrix:
    """Return the values that rows keep in `bits` bits each, with one scale a row: float32.

    A row spans its largest absolute value `s` on both sides of zero in `2**bits` equal steps;
    with 4 bits these are the values of the 4-bit layout.
    """
    levels = np.float32(2**bits - 1)
    scales = np.abs(rows).max(axis=1, keepdims=True) + np.float32(1e-8)
    codes = np.clip(np.rint((rows / scales + 1) * (levels / 2)), 0, levels)
    rounded: FloatMatrix = ((codes / (levels / 2) - 1) * scales).astype(np.float32)
    return rounded


@contextmanager
def model_with_bits(model: "StaticModel", bits: int) -> Iterator["StaticModel"]:
    """Give the model with its rows rounded to `bits` bits; 32 keeps them as they are.

    Raises:
        InputError: `bits` is neither 1 to 8 nor 32, or more than the model is stored with.
    """
    if bits != FLOAT_BITS and not 1 <= bits <= WIDEST:
        raise InputError(f"cannot evaluate {bits} bits; expected 1 to {WIDEST}, or {FLOAT_BITS}")
    if model.layout == "q4" and bits > 4:
        raise InputError(
            f"cannot evaluate {bits} bits: the model is stored with 4\n"
            "hint: give the folder of the float model"
        )
    if bits == FLOAT_BITS:
        yield model
        return
    from konayuki.model import StaticModel

    safetensors = require("safetensors.numpy", "hub")
    with tempfile.TemporaryDirectory(prefix="konayuki-bits-") as folder:
        model.save(folder, layout="float")
        file = Path(folder) / "model.safetensors"
        tensors = safetensors.load_file(file)
        tensors["embedding.weight"] = round_rows(tensors["embedding.weight"], bits)
        safetensors.save_file(tensors, file)
        yield StaticModel.load(folder)
