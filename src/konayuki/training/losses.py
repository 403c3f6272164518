"""The losses, without keeping score matrices, and the list that a recipe chooses from.

Every loss here is a sum over nested dimensions d: of the first d outputs of both sides, as unit
rows q_i and p_j, with scores s_ij = scale * q_i . p_j.

    ranking     mean_i( logsumexp_j s_ij - s_ii ): MatryoshkaLoss over MultipleNegativesRankingLoss
    divergence  mean_i KL( softmax_j t_ij || softmax_j s_ij ), with the logits t_ij of a teacher

Both gradients with respect to s are known as soon as a row is ((softmax(s) - identity) / n and
(softmax(s) - softmax(t)) / n). So rows are taken in blocks that stay in the processor's cache, and
only one (n, m) matrix is kept, in the precision of the products. Autograd would keep several for
each dimension, and on a CPU most of a step would go into moving them.

To add a loss: write a function like `ranking`, name it in `LOSSES` and in the type of `loss.kind`
in `konayuki.training.recipe`. It is given tokens, not vectors, so that a loss may also compare
token by token.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
import torch.nn.functional as functional
from torch import Tensor

from konayuki.model.tokens import TokenBatch
from konayuki.training.network import TrainedSSE
from konayuki.training.precision import product_dtype
from konayuki.training.recipe import Recipe

BLOCK_ROWS = 128  # of 2,048 float32 scores: 1 MB, which a second-level cache holds
NEVER = -1e4  # the logit of what is not compared: exp() of it is 0, and it is finite in bfloat16


class Sides(NamedTuple):
    """The tokens of a batch; passage i answers query i, and the passages behind answer none."""

    queries: TokenBatch
    passages: TokenBatch


Loss: TypeAlias = Callable[[TrainedSSE, Sides, Recipe], Tensor]


class _InBlocks(torch.autograd.Function):
    """A loss of the cosines of unit rows, (n, d) and (m, d), that is given some rows at a time.

    Its `block` adds these rows to the loss and returns its gradient by their scores. Its `finish`
    returns the loss and completes the gradients by both sides, in place.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch declares none
        queries: Tensor,
        candidates: Tensor,
        loss: "Ranking | Divergence",
        dtype: torch.dtype,
    ) -> Tensor:
        n = len(queries)
        low_queries, low_candidates = queries.to(dtype), candidates.to(dtype)
        gradient = torch.empty(n, len(candidates), dtype=dtype, device=queries.device)
        for start in range(0, n, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, n))
            cosines = (low_queries[rows] @ low_candidates.T).float()
            gradient[rows] = loss.block(cosines, rows)
        by_query = (gradient @ low_candidates).float()
        by_candidate = (gradient.T @ low_queries).float()
        value = loss.finish(queries, candidates, by_query, by_candidate)
        ctx.save_for_backward(by_query, by_candidate)
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        by_query, by_candidate = ctx.saved_tensors
        return (by_query * upstream, by_candidate * upstream, None, None)


class Ranking:
    """Cross-entropy: how far query i is from ranking candidate i first."""

    def __init__(self, n: int, scale: float, device: torch.device) -> None:
        self._n, self._scale = n, scale
        self._sums = torch.empty(n, device=device)

    def block(self, cosines: Tensor, rows: slice) -> Tensor:
        """Return the softmax of some rows; `finish` subtracts the pairs and scales."""
        # No cosine exceeds 1, so exp(score - scale) needs no search for the maximum of a row.
        powers = cosines.sub_(1.0).mul_(self._scale).exp_()
        self._sums[rows] = powers.sum(1)
        return powers.div_(self._sums[rows, None])

    def finish(
        self, queries: Tensor, candidates: Tensor, by_query: Tensor, by_candidate: Tensor
    ) -> Tensor:
        """Return the loss; subtract the pairs from the gradients and scale them."""
        n, scale = self._n, self._scale
        # The pair itself is subtracted in full precision, not in the low-precision product above:
        # 1 - softmax becomes small, and rounding it would end the learning.
        by_query.sub_(candidates[:n]).mul_(scale / n)
        by_candidate[:n] -= queries
        by_candidate.mul_(scale / n)
        matches = (queries * candidates[:n]).sum(1).float()
        return (self._sums.log().sum() + n * scale - scale * matches.sum()) / n


class Divergence:
    """The Kullback-Leibler divergence of the student's softmax from that of a teacher's logits."""

    def __init__(self, logits: Tensor, scale: float, left_out: Tensor | None) -> None:
        self._logits, self._scale, self._left_out = logits, scale, left_out
        self._total = torch.zeros(())

    def block(self, cosines: Tensor, rows: slice) -> Tensor:
        """Add some rows; return their gradient."""
        scores = cosines.mul_(self._scale)
        if self._left_out is not None:
            scores.masked_fill_(self._left_out[rows], NEVER)
        student = torch.log_softmax(scores, dim=1)
        teacher = torch.log_softmax(self._logits[rows], dim=1)
        shares = teacher.exp()
        self._total += (shares * (teacher - student)).sum()
        return student.exp_().sub_(shares).mul_(self._scale / len(self._logits))

    def finish(
        self, queries: Tensor, candidates: Tensor, by_query: Tensor, by_candidate: Tensor
    ) -> Tensor:
        """Return the loss; the gradients are complete."""
        return self._total / len(self._logits)


def ranking_loss(
    queries: Tensor, candidates: Tensor, *, scale: float = 20.0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return the `Ranking` loss of unit rows.

    Args:
        queries: (n, d).
        candidates: (m, d), m >= n; candidate i answers query i.
        scale: Cosines are multiplied by it before the softmax.
        dtype: The precision of the matrix products.
    """
    loss = Ranking(len(queries), scale, queries.device)
    value: Tensor = _InBlocks.apply(queries, candidates, loss, dtype)
    return value


def nested(
    loss: Callable[[Tensor, Tensor], Tensor],
    queries: Tensor,
    candidates: Tensor,
    dims: Sequence[int],
) -> Tensor:
    """Return the sum of a loss of unit rows over the first d outputs, for every d of `dims`.

    If both sides are the same tensor, the loss gets the same tensor twice.
    """
    values = []
    for dim in dims:
        left = functional.normalize(queries[:, :dim].float(), dim=-1)
        right = left
        if candidates is not queries:
            right = functional.normalize(candidates[:, :dim].float(), dim=-1)
        values.append(loss(left, right))
    return torch.stack(values).sum()


def nested_divergence(
    queries: Tensor,
    candidates: Tensor,
    logits: Tensor,
    *,
    dims: Sequence[int],
    scale: float = 20.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the divergence from a teacher, summed over nested dimensions.

    Args:
        queries: (n, width), outputs of the student.
        candidates: (m, width); if it is `queries` itself, no text is compared with itself.
        logits: The teacher's logits, float32 (n, m); `NEVER` for pairs that are not compared.
        dims: The nested dimensions.
        scale: The student's cosines are multiplied by it before the softmax.
        dtype: The precision of the matrix products.
    """
    if candidates is queries:  # a text itself would take nearly all of the softmax
        logits = logits.clone().fill_diagonal_(NEVER)
    left_out = logits == NEVER
    mask = left_out if left_out.any() else None

    def divergence(left: Tensor, right: Tensor) -> Tensor:
        loss = Divergence(logits, scale, mask)
        value: Tensor = _InBlocks.apply(left, right, loss, dtype)
        return value

    return nested(divergence, queries, candidates, dims)


def ranking(network: TrainedSSE, sides: Sides, recipe: Recipe) -> Tensor:
    """Return the loss of finding the passage of each query among those of the batch."""
    dtype = product_dtype(recipe.training.bf16)

    def one_dim(queries: Tensor, passages: Tensor) -> Tensor:
        return ranking_loss(queries, passages, scale=recipe.loss.scale, dtype=dtype)

    queries, passages = network.outputs(sides.queries), network.outputs(sides.passages)
    return nested(one_dim, queries, passages, recipe.model.dims)


def symmetric(network: TrainedSSE, sides: Sides, recipe: Recipe) -> Tensor:
    """Return the mean of `ranking` and of the loss of finding the query of each passage."""
    dtype, scale = product_dtype(recipe.training.bf16), recipe.loss.scale

    def both_ways(queries: Tensor, passages: Tensor) -> Tensor:
        # Negatives answer no query, so that only the first n passages have one to find.
        there = ranking_loss(queries, passages, scale=scale, dtype=dtype)
        back = ranking_loss(passages[: len(queries)], queries, scale=scale, dtype=dtype)
        return (there + back) / 2

    queries, passages = network.outputs(sides.queries), network.outputs(sides.passages)
    return nested(both_ways, queries, passages, recipe.model.dims)


# What `loss.kind` of a recipe may be.
LOSSES: Mapping[str, Loss] = {"ranking": ranking, "symmetric": symmetric}
