"""A model with rows of other bit widths: the original SSE format, generalised from 4 bits."""

from dataclasses import replace
from typing import TYPE_CHECKING

from konayuki.arrays import FloatMatrix, from_levels, row_scales, to_levels
from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.model import StaticModel

FLOAT_BITS = 32
WIDEST = 8


def round_rows(rows: FloatMatrix, bits: int) -> FloatMatrix:
    """Return the values that rows keep in `bits` bits each, with one scale per row: float32.

    A row spans its largest absolute value `s` on both sides of zero in `2**bits` equal steps;
    with 4 bits these are the values of the 4-bit layout.
    """
    scales = row_scales(rows)
    return from_levels(to_levels(rows, scales, bits), scales, bits)


def model_with_bits(model: "StaticModel", bits: int) -> "StaticModel":
    """Return the model with its rows rounded to `bits` bits; 32 keeps them as they are.

    Raises:
        InputError: `bits` is neither 1 to 8 nor 32, or more than the model is stored with.
    """
    from konayuki.model.packed import FloatTable

    if bits != FLOAT_BITS and not 1 <= bits <= WIDEST:
        raise InputError(f"cannot evaluate {bits} bits: expected 1 to {WIDEST}, or {FLOAT_BITS}")
    if bits > model.bits:
        raise InputError(
            f"cannot evaluate {bits} bits: the model is stored with {model.bits}: "
            "expected as many or fewer\nhint: give the folder of the float model"
        )
    if bits == FLOAT_BITS:
        return model
    rows = round_rows(model.weights.float_table().values, bits)
    return model.with_weights(replace(model.weights, table=FloatTable(rows)))
