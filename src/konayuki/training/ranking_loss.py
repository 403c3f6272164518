"""The loss: in-batch ranking at nested dimensions, without keeping score matrices.

It is MatryoshkaLoss over MultipleNegativesRankingLoss. For every nested dimension d, with unit
vectors q_i, p_j of the first d outputs and scores s_ij = scale * q_i . p_j:

    loss_d = mean_i( logsumexp_j s_ij - s_ii )

The gradient with respect to s is (softmax - identity) / n, so it is known as soon as a row is: rows
are taken in blocks that stay in the processor's cache and only the gradient is kept, in the
precision of the matrix products. Autograd would keep several (n, n) matrices for each dimension,
and on a CPU most of a step would go into moving them.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional

BLOCK_ROWS = 128


class _Ranking(torch.autograd.Function):
    """Cross-entropy of queries (n, d) against candidates (m, d); candidate i is i's."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        queries: torch.Tensor,
        candidates: torch.Tensor,
        scale: float,
        symmetric: bool,
        dtype: torch.dtype,
    ) -> torch.Tensor:
        n = len(queries)
        low_queries, low_candidates = queries.to(dtype), candidates.to(dtype)
        softmax, row_loss = _rows(low_queries, low_candidates, scale, symmetric)
        matches = (queries * candidates[:n]).sum(1).float()
        loss = row_loss - scale * matches.sum()
        # The pair itself is subtracted in full precision: 1 - softmax is small where learning is.
        by_query = (softmax @ low_candidates).float() - candidates[:n]
        by_candidate = (softmax.T @ low_queries).float()
        by_candidate[:n] -= queries
        ctx.save_for_backward(by_query.mul_(scale / n), by_candidate.mul_(scale / n))
        return loss / n

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        by_query, by_candidate = ctx.saved_tensors
        return (by_query * upstream, by_candidate * upstream, None, None, None)


def _rows(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    scale: float,
    symmetric: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the softmax, (n, m), and the loss without the pairs."""
    n = len(queries)
    softmax = torch.empty(n, len(candidates), dtype=queries.dtype, device=queries.device)
    row_sums = torch.empty(n, device=queries.device)
    column_sums = torch.zeros(len(candidates), device=queries.device)
    for start in range(0, n, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        scores = (queries[block] @ candidates.T).float()
        # No score exceeds the scale: exp(score - scale) needs no search for the maximum.
        scores.sub_(1.0).mul_(scale).exp_()
        row_sums[block] = scores.sum(1)
        if symmetric:
            column_sums += scores.sum(0)
        else:
            scores.div_(row_sums[block, None])
        softmax[block] = scores
    loss = row_sums.log().sum() + n * scale
    if symmetric:
        loss = (loss + column_sums[:n].log().sum() + n * scale) / 2
        _mean_of_both_ways(softmax, row_sums, column_sums)
    return softmax, loss


def _mean_of_both_ways(
    powers: torch.Tensor,
    row_sums: torch.Tensor,
    column_sums: torch.Tensor,
) -> None:
    """Turn powers into the mean of the softmax over rows and that over the first n columns."""
    by_column = torch.zeros_like(column_sums)
    by_column[: len(powers)] = 1 / column_sums[: len(powers)]
    for start in range(0, len(powers), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        mean = powers[block].float() * ((1 / row_sums[block, None] + by_column) / 2)
        powers[block] = mean


def ranking_loss(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    *,
    scale: float = 20.0,
    symmetric: bool = False,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Return the loss of unit vectors: how far query i is from ranking candidate i top.

    Args:
        queries: (n, d), unit rows.
        candidates: (m, d), unit rows, m >= n.
        scale: cosines are multiplied by it before the softmax.
        symmetric: take the mean with the loss of finding the query of each of the n candidates.
        dtype: precision of the matrix products.
    """
    loss: torch.Tensor = _Ranking.apply(queries, candidates, scale, symmetric, dtype)
    return loss


def nested_ranking_loss(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    *,
    dims: Sequence[int],
    weights: Sequence[float] = (),
    scale: float = 20.0,
    symmetric: bool = False,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Return the sum of `ranking_loss` over the first d outputs, for every d of `dims`.

    `weights` are MatryoshkaLoss's `matryoshka_weights`, all 1 unless given.
    """
    losses = [
        ranking_loss(
            functional.normalize(queries[:, :dim].float(), dim=-1),
            functional.normalize(candidates[:, :dim].float(), dim=-1),
            scale=scale,
            symmetric=symmetric,
            dtype=dtype,
        )
        for dim in dims
    ]
    return weighted_sum(losses, weights)


def weighted_sum(losses: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Return the sum of scalar losses, each times its weight where there are weights."""
    stacked = torch.stack(list(losses))
    return (stacked * stacked.new_tensor(weights)).sum() if weights else stacked.sum()
