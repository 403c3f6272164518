"""4-bit rows of a model that went on from 4-bit rows.

Fine-tuning moves most values by less than half a step of their 4-bit scale, so the nearest code of
each is the one it started from and nothing learned would be left. Here a value becomes one of the
two codes around it by chance, the nearer one more often, so that the expected value is the value
itself: the mean over the pieces of a text keeps what rows have learned. (Stochastic rounding, as in
Gupta et al. 2015, "Deep Learning with Limited Numerical Precision".)
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import HALF_RANGE, LEVELS, MARGIN, FloatMatrix
from konayuki.model.packed import CHUNK_ROWS, PackedTable
from konayuki.model.weights import Weights

ROOM = np.float32(1 + 0.5 / HALF_RANGE)  # half a step above the largest code
DECIMALS = 4  # of a code; what single precision adds beyond them is no change


def rounded_onto(weights: Weights, start: PackedTable, *, seed: int) -> Weights:
    """Return weights with 4-bit rows on the scales of `start`.

    A row that did not change keeps its codes. One that outgrew its scale by more than half a step
    gets the seed's scale, max|row| + 1e-8.

    Args:
        weights: with float rows, (vocab_size, dim).
        start: the rows that training started from, as many and as wide.
        seed: of the draws.
    """
    table = weights.float_table().values
    rng = np.random.default_rng(seed)
    codes, scales = np.empty_like(start.codes), np.empty_like(start.scales)
    for first in range(0, len(table), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        rows = np.asarray(table[chunk], dtype=np.float32)
        scales[chunk] = _scales(rows, start.scales[chunk])
        levels = _levels(rows, scales[chunk, np.newaxis], rng)
        codes[chunk] = levels[:, 0::2] << 4 | levels[:, 1::2]
    return replace(weights, table=PackedTable(codes, scales))


def _scales(rows: FloatMatrix, before: NDArray[np.float32]) -> NDArray[np.float32]:
    largest = np.abs(rows).max(axis=1)
    scales: NDArray[np.float32] = np.where(largest <= before * ROOM, before, largest + MARGIN)
    return scales


def _levels(rows: FloatMatrix, scales: FloatMatrix, rng: np.random.Generator) -> NDArray[np.uint8]:
    exact = np.round((rows / scales + np.float32(1)) * HALF_RANGE, DECIMALS)
    drawn = np.floor(exact + rng.random(exact.shape, dtype=np.float32))
    return np.asarray(np.clip(drawn, 0, LEVELS), dtype=np.uint8)
