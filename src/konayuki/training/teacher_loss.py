"""The loss of distillation: how far a student's distribution is from a teacher's.

For every nested dimension d, with unit vectors q_i, p_j of the first d outputs, scores
s_ij = scale * q_i . p_j and the teacher's logits t_ij:

    loss_d = mean_i KL( softmax_j t_ij || softmax_j s_ij )

Its gradient with respect to s is (softmax(s) - softmax(t)) / n, so only that matrix is kept, in the
precision of the matrix products; rows are taken in blocks that stay in the processor's cache.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional

from konayuki.training.ranking_loss import BLOCK_ROWS, weighted_sum

NEVER = -1e4  # the logit of a text with itself


class _Divergence(torch.autograd.Function):
    """Mean over queries of KL(softmax(teacher) || softmax(student))."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        queries: torch.Tensor,
        candidates: torch.Tensor,
        logits: torch.Tensor,
        scale: float,
        same: bool,
        dtype: torch.dtype,
    ) -> torch.Tensor:
        n = len(queries)
        low_queries, low_candidates = queries.to(dtype), candidates.to(dtype)
        gradient = torch.empty(n, len(candidates), dtype=dtype)
        loss = torch.zeros(())
        for start in range(0, n, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, n))
            scores = (low_queries[block] @ low_candidates.T).float().mul_(scale)
            wanted = logits[block].clone()
            if same:
                rows = torch.arange(block.stop - start)
                scores[rows, rows + start] = NEVER
                wanted[rows, rows + start] = NEVER
            student = torch.log_softmax(scores, dim=1)
            teacher = torch.log_softmax(wanted, dim=1)
            share = teacher.exp()
            loss += (share * (teacher - student)).sum()
            gradient[block] = student.exp_().sub_(share).mul_(scale / n)
        ctx.save_for_backward(
            (gradient @ low_candidates).float(), (gradient.T @ low_queries).float()
        )
        return loss / n

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        by_query, by_candidate = ctx.saved_tensors
        return (by_query * upstream, by_candidate * upstream, None, None, None, None)


def nested_divergence(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    logits: torch.Tensor,
    *,
    dims: Sequence[int],
    weights: Sequence[float] = (),
    scale: float = 20.0,
    same: bool = False,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Return the divergence from the teacher, summed over the first d outputs for d of `dims`.

    Args:
        queries: (n, width), outputs of the student.
        candidates: (m, width).
        logits: float32 (n, m), the teacher's.
        dims: nested dimensions.
        weights: of the loss at each of them, all 1 unless given.
        scale: the student's cosines are multiplied by it before the softmax.
        same: both sides are the same texts, and no text is compared with itself.
        dtype: precision of the matrix products.
    """
    losses = []
    for dim in dims:
        left = functional.normalize(queries[:, :dim].float(), dim=-1)
        right = left if same else functional.normalize(candidates[:, :dim].float(), dim=-1)
        losses.append(_Divergence.apply(left, right, logits, scale, same, dtype))
    return weighted_sum(losses, weights)
