"""What happens to the weights behind the last step: all that changes them after the loop.

1. `mean_of_runs`: the mean of several runs, and perhaps of their start.
2. `turn_to_neighbours`: every row turns a little to the rows nearest it.
3. `even_directions`: directions that most texts share become weaker.
4. `silence_unknown`: what no piece covers says nothing.
5. `layouts_of`: the float rows, and the 4-bit rows rounded from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from konayuki.arrays import HALF_RANGE, LEVELS, MARGIN, FloatMatrix
from konayuki.model.foreign import unknown_token
from konayuki.model.packed import CHUNK_ROWS, FloatTable, PackedTable
from konayuki.model.pooling import Pooler
from konayuki.model.weights import Weights
from konayuki.training.pair_store import PairStore
from konayuki.training.recipe import Recipe

LAYOUTS = ("float", "q4")

# Eight, weighted by exp(10 * cosine): further rows would only add what all rows share.
N_NEAREST = 8
SHARPNESS = 10.0
BLOCK_ROWS = 1024  # rows whose cosines with all others are held at once: 128 MB for 32,768 pieces

TEXTS_OF_SOURCE = 400
LEAST_STRENGTH = 1e-4  # of the largest: a direction that no text has stays empty

ROOM = np.float32(1 + 0.5 / HALF_RANGE)  # half a step above the largest level
DECIMALS = 4  # of a level; what single precision adds beyond them is not a change

Parameters: TypeAlias = dict[str, torch.Tensor]


def mean_of_runs(
    runs: Sequence[Mapping[str, torch.Tensor]], start: Mapping[str, torch.Tensor], share: float
) -> Parameters:
    """Return the mean of the parameters of runs from one start, `share` of it the start's.

    Runs from one start stay aligned, and without a tanh the mean of their tables gives the mean of
    their embeddings: an ensemble of the size of one model.
    """
    # Summed one run after the other, so that a resumed run gives the same bits.
    totals = {name: values.clone() for name, values in runs[0].items()}
    for parameters in runs[1:]:
        for name, values in parameters.items():
            totals[name] += values
    return {name: (total / len(runs)).lerp(start[name], share) for name, total in totals.items()}


def turn_to_neighbours(weights: Weights, share: float) -> Weights:
    """Return weights whose rows have turned to their nearest rows and kept their lengths.

    Half of the pieces occur a few hundred times in all training texts, and what a row learned from
    so few is partly chance. Rows that point the same way have learned from similar texts. With
    unit rows u and lengths l:

        n_i = sum of softmax_j(SHARPNESS * u_i . u_j) * u_j over the N_NEAREST rows j nearest to i
        w_i = l_i * unit(u_i + share * n_i)

    The formula is our own; docs/lab/experiments.md says what it was worth.

    Args:
        weights: The weights of a trained model.
        share: The weight of the neighbours, the row itself having 1; 0 changes nothing.
    """
    if not share:
        return weights
    rows = torch.from_numpy(weights.float_table().values)
    units = functional.normalize(rows, dim=1)
    turned = functional.normalize(units + share * _neighbours(units), dim=1)
    turned *= rows.norm(dim=1, keepdim=True)
    return replace(weights, table=FloatTable(turned.numpy()))


def _neighbours(units: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of the rows nearest each row: float32 of the same shape."""
    means = torch.zeros_like(units)
    n_nearest = min(N_NEAREST, len(units) - 1)
    for start in range(0, len(units), BLOCK_ROWS):
        block = units[start : start + BLOCK_ROWS]
        cosines = block @ units.T
        itself = torch.arange(len(block))
        cosines[itself, itself + start] = -1.0
        values, nearest = cosines.topk(n_nearest, dim=1)
        shares = torch.softmax(SHARPNESS * values, dim=1)
        means[start : start + BLOCK_ROWS] = (units[nearest] * shares[..., None]).sum(dim=1)
    return means


def even_directions(weights: Weights, share: float, store: PairStore) -> Weights:
    """Return weights whose outputs vary more evenly over all directions.

    What a model has learned of its kinds of text lies mostly in a few directions, along which all
    texts of another kind point the same way. With the eigenvectors U and eigenvalues s of the mean
    of v v^T over unit outputs v of training texts, as many of each source, rows are multiplied by

        U diag((s / mean(s)) ** (-share / 2)) U^T,

    which leaves the nested dimensions their order. A partial whitening; 1 would be a whole one.

    Args:
        weights: The weights of a trained model without a tanh.
        share: How much more even; 0 changes nothing.
        store: The pairs that it was trained on.
    """
    if not share:
        return weights
    rows = torch.from_numpy(weights.float_table().values)
    bags = store.bags(_some_texts(store))
    outputs = Pooler(weights).pool(bags, dim=weights.dim, normalize=True)
    units = torch.from_numpy(outputs).double()
    strengths, directions = torch.linalg.eigh(units.T @ units / len(units))
    strengths = strengths.clamp_min(float(strengths[-1]) * LEAST_STRENGTH)
    factors = (strengths / strengths.mean()) ** (-share / 2)
    change = (directions * factors) @ directions.T
    return replace(weights, table=FloatTable((rows @ change.float()).numpy()))


def _some_texts(store: PairStore) -> NDArray[np.integer]:
    """Return up to `TEXTS_OF_SOURCE` random queries and passages of each source."""
    rng = np.random.default_rng(0)
    texts = []
    for source in store.sources:
        pairs = np.asarray(store.pairs[source.start : source.stop, :2])
        texts.append(pairs[rng.permutation(len(pairs))[:TEXTS_OF_SOURCE]].ravel())
    return np.concatenate(texts)


def silence_unknown(weights: Weights, tokenizer_json: bytes) -> Weights:
    """Return weights whose row of the unknown token is zero.

    It stands for every character that no piece covers: with a row, any two emoji would be alike.
    """
    unknown = unknown_token(tokenizer_json)
    if unknown is None or unknown >= weights.vocab_size:
        return weights
    rows = weights.float_table().values.copy()
    rows[unknown] = 0.0
    return replace(weights, table=FloatTable(rows))


def layouts_of(
    weights: Weights, recipe: Recipe, start: Weights | None = None
) -> dict[str, Weights]:
    """Return the weights in each layout, with float rows and with 4-bit rows.

    Args:
        weights: The weights of the run, with float rows.
        recipe: The recipe of the run.
        start: The weights that it started from, if it did not start from random rows.
    """
    table = start.crop(weights.dim).table if start else None
    if learned_on_the_grid(recipe):
        packed = weights.packed()
    elif isinstance(table, PackedTable):
        packed = rounded_onto(weights, table, seed=recipe.training.seed)
    else:
        packed = weights.packed(nearest=True)
    return dict(zip(LAYOUTS, (weights, packed), strict=True))


def learned_on_the_grid(recipe: Recipe) -> bool:
    """Return whether the last steps saw these very rows rounded as the original SSE format does.

    Such rows keep its scales, max|row|, which they have learned with. All others, and those that
    moved after the last step, get the scales with the smallest error.
    """
    training = recipe.training
    moved = training.start_share or training.neighbour_share or training.evenness
    return bool(training.quantized_share) and training.runs == 1 and not moved


def rounded_onto(weights: Weights, start: PackedTable, *, seed: int) -> Weights:
    """Return weights with 4-bit rows on the scales of `start`.

    Fine-tuning moves most values by less than half a step of their 4-bit scale, so the nearest
    level of each is the one it started from, and nothing learned would be left. Here a value gets
    one of the two levels around it at random, the nearer one more often, so that its expectation is
    the value itself: the mean over the pieces of a text keeps what rows have learned. (Stochastic
    rounding, as in Gupta et al. 2015, "Deep Learning with Limited Numerical Precision".)

    A row that did not change keeps its levels. One that outgrew its scale by more than half a step
    gets the scale of the original SSE format, max|row| + 1e-8.

    Args:
        weights: Weights with float rows, (vocab_size, dim).
        start: The rows that training started from, of the same shape.
        seed: Decides the draws.
    """
    table = weights.float_table().values
    rng = np.random.default_rng(seed)
    codes, scales = np.empty_like(start.codes), np.empty_like(start.scales)
    for first in range(0, len(table), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        rows = np.asarray(table[chunk], dtype=np.float32)
        before, largest = start.scales[chunk], np.abs(rows).max(axis=1)
        scales[chunk] = np.where(largest <= before * ROOM, before, largest + MARGIN)
        levels = _drawn_levels(rows, scales[chunk, np.newaxis], rng)
        codes[chunk] = levels[:, 0::2] << 4 | levels[:, 1::2]
    return replace(weights, table=PackedTable(codes, scales))


def _drawn_levels(
    rows: FloatMatrix, scales: FloatMatrix, rng: np.random.Generator
) -> NDArray[np.uint8]:
    scales = np.where(scales > 0, scales, 1)  # of a row of zeros
    exact = np.round((rows / scales + np.float32(1)) * HALF_RANGE, DECIMALS)
    drawn = np.floor(exact + rng.random(exact.shape, dtype=np.float32))
    return np.asarray(np.clip(drawn, 0, LEVELS), dtype=np.uint8)
