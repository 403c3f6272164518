"""Rows that lean on their neighbours.

Half of the pieces occur a few hundred times in all training texts, and what a row took from so few
is partly chance. Rows that point the same way have learned of the same things. So at the end of a
run every row turns a little towards those nearest it, and keeps its length. With unit rows u and
lengths l:

    n_i = sum of softmax_j(SHARPNESS * u_i . u_j) * u_j over the N_NEAREST rows j nearest to i
    w_i = l_i * unit(u_i + share * n_i)

The formula is our own; docs/lab/experiments.md says what it was worth.
"""

from dataclasses import replace

import torch
import torch.nn.functional as functional

from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights

N_NEAREST = 8
SHARPNESS = 10.0
BLOCK_ROWS = 1024


def leaning_on_neighbours(weights: Weights, share: float) -> Weights:
    """Return weights whose rows have turned towards their nearest rows.

    Args:
        weights: of a trained model.
        share: of the neighbours beside the row itself; 0 changes nothing.
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
        values, places = cosines.topk(n_nearest, dim=1)
        shares = torch.softmax(SHARPNESS * values, dim=1)
        means[start : start + BLOCK_ROWS] = (units[places] * shares[..., None]).sum(dim=1)
    return means
