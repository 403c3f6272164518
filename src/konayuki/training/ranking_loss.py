"""The loss: in-batch ranking at nested dimensions, without keeping score matrices.

It is MatryoshkaLoss over MultipleNegativesRankingLoss. For every nested dimension d, with unit
vectors q_i, p_j of the first d outputs and scores s_ij = scale * q_i . p_j:

    loss_d = mean_i( logsumexp_j s_ij - sum_j t_ij s_ij )

t_ij is 1 for the passage of query i; with a teacher it is a mixture of that and the teacher's own
softmax. The gradient with respect to s is (softmax - t) / n, so it is known as soon as a row is:
rows are taken in blocks that stay in the processor's cache and only the gradient is kept, in the
precision of the matrix products. Autograd would keep several (n, n) matrices for each dimension,
and on a CPU most of a step would go into moving them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional

BLOCK_ROWS = 128


@dataclass(frozen=True)
class Target:
    """What a teacher says: `softmax` (n, m) enters the target of row i with weight `shares[i]`."""

    softmax: torch.Tensor
    shares: torch.Tensor  # (n,)


class _Ranking(torch.autograd.Function):
    """Cross-entropy of queries (n, d) against candidates (m, d); candidate `first + i` is i's."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        queries: torch.Tensor,
        candidates: torch.Tensor,
        scale: float,
        symmetric: bool,
        dtype: torch.dtype,
        first: int,
        target: Target | None,
    ) -> torch.Tensor:
        n = len(queries)
        low_queries, low_candidates = queries.to(dtype), candidates.to(dtype)
        own = slice(first, first + n)
        softmax, row_loss = _rows(low_queries, low_candidates, scale, symmetric, own, target)
        certain = queries.new_ones(n) if target is None else 1 - target.shares
        matches = (queries * candidates[own]).sum(1).float()
        loss = row_loss - scale * (certain * matches).sum()
        # The pair itself is subtracted in full precision: 1 - softmax is small where learning is.
        by_query = (softmax @ low_candidates).float() - certain[:, None] * candidates[own]
        by_candidate = (softmax.T @ low_queries).float()
        by_candidate[own] -= certain[:, None] * queries
        ctx.save_for_backward(by_query.mul_(scale / n), by_candidate.mul_(scale / n))
        return loss / n

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        by_query, by_candidate = ctx.saved_tensors
        return (by_query * upstream, by_candidate * upstream, None, None, None, None, None)


def _rows(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    scale: float,
    symmetric: bool,
    own: slice,
    target: Target | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return softmax minus the teacher's part, (n, m), and the loss without the pairs."""
    n = len(queries)
    softmax = torch.empty(n, len(candidates), dtype=queries.dtype, device=queries.device)
    row_sums = torch.empty(n, device=queries.device)
    column_sums = torch.zeros(len(candidates), device=queries.device)
    taught = torch.zeros((), device=queries.device)
    for start in range(0, n, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        scores = (queries[block] @ candidates.T).float()
        if target is not None:
            share = target.shares[block, None]
            taught += scale * (scores * target.softmax[block] * share).sum()
        # No score exceeds the scale: exp(score - scale) needs no search for the maximum.
        scores.sub_(1.0).mul_(scale).exp_()
        row_sums[block] = scores.sum(1)
        if symmetric:
            column_sums += scores.sum(0)
        else:
            scores.div_(row_sums[block, None])
        if target is not None and not symmetric:
            scores.sub_(target.softmax[block] * share)
        softmax[block] = scores
    loss = row_sums.log().sum() + n * scale
    if symmetric:
        loss = (loss + column_sums[own].log().sum() + n * scale) / 2
        _mean_of_both_ways(softmax, row_sums, column_sums, own, target)
    return softmax, loss - taught


def _mean_of_both_ways(
    powers: torch.Tensor,
    row_sums: torch.Tensor,
    column_sums: torch.Tensor,
    own: slice,
    target: Target | None,
) -> None:
    """Turn powers into the mean of the softmax over rows and that over the columns `own`."""
    by_column = torch.zeros_like(column_sums)
    by_column[own] = 1 / column_sums[own]
    for start in range(0, len(powers), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        mean = powers[block].float() * ((1 / row_sums[block, None] + by_column) / 2)
        if target is not None:
            mean -= target.softmax[block] * target.shares[block, None]
        powers[block] = mean


def ranking_loss(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    *,
    scale: float = 20.0,
    symmetric: bool = False,
    dtype: torch.dtype = torch.float32,
    first: int = 0,
    target: Target | None = None,
) -> torch.Tensor:
    """Return the loss of unit vectors: how far query i is from ranking candidate `first + i` top.

    Args:
        queries: (n, d), unit rows.
        candidates: (m, d), unit rows, m >= first + n.
        scale: cosines are multiplied by it before the softmax.
        symmetric: take the mean with the loss of finding the query of each of the n candidates.
        dtype: precision of the matrix products.
        first: the candidate of query 0.
        target: what a teacher says.
    """
    loss: torch.Tensor = _Ranking.apply(queries, candidates, scale, symmetric, dtype, first, target)
    return loss


def nested_ranking_loss(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    *,
    dims: Sequence[int],
    scale: float = 20.0,
    symmetric: bool = False,
    dtype: torch.dtype = torch.float32,
    first: int = 0,
    target: Target | None = None,
) -> torch.Tensor:
    """Return the sum of `ranking_loss` over the first d outputs, for every d of `dims`."""
    losses = [
        ranking_loss(
            functional.normalize(queries[:, :dim].float(), dim=-1),
            functional.normalize(candidates[:, :dim].float(), dim=-1),
            scale=scale,
            symmetric=symmetric,
            dtype=dtype,
            first=first,
            target=target,
        )
        for dim in dims
    ]
    return torch.stack(losses).sum()


def teacher_target(
    queries: torch.Tensor, candidates: torch.Tensor, *, share: float, temperature: float
) -> Target:
    """Return the teacher's target from its vectors; zero rows are texts that it has not read.

    Such queries keep the plain target, and such candidates get nothing from the teacher.
    """
    known_queries = queries.abs().amax(1) > 0
    known_candidates = candidates.abs().amax(1) > 0
    scores = (queries.bfloat16() @ candidates.bfloat16().T).float() / temperature
    scores.masked_fill_(~known_candidates, -torch.inf)
    scores[~known_queries] = 0.0
    own_known = known_queries & known_candidates[: len(queries)]
    softmax = torch.softmax(scores, dim=1).nan_to_num_(0.0)
    return Target(softmax.bfloat16(), share * own_known.float())
