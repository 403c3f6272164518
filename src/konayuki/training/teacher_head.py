"""A linear map of the teachers' vectors, learned from people's paraphrases.

Two frozen encoders side by side judge the similarity of sentences about as well as each does. A
linear map of both, learned from a few thousand pairs that people wrote, judges it better
(Spearman's rank correlation with people's scores: docs/lab/experiments.md), and costs seconds. It
starts from the identity and learns to find the paraphrase of each sentence among those of others.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional

BATCH_PAIRS = 256
LEARNING_RATE = 3e-4
DROPOUT = 0.1  # of the values: without it the map learns the few thousand pairs by heart


def learned_head(
    vectors: torch.Tensor,
    sources: Sequence[npt.NDArray[np.int64]],
    *,
    steps: int,
    scale: float,
    seed: int = 0,
) -> torch.Tensor:
    """Return a linear map: float32 (dim, dim), by which `vectors` are multiplied.

    Args:
        vectors: The teachers' vectors side by side, float32 (n_texts, dim).
        sources: The rows of both sides of each source's pairs, (n_pairs, 2); sources take turns.
        steps: The number of steps, of up to 256 pairs each.
        scale: Cosines are multiplied by it before the softmax.
        seed: Decides the draws.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    head = torch.nn.Parameter(torch.eye(vectors.shape[1]))
    optimiser = torch.optim.Adam([head], lr=LEARNING_RATE)
    for step in range(steps):
        pairs = _distinct(sources[step % len(sources)], rng)
        left, right = (
            functional.normalize(_dropped(vectors[side], generator) @ head, dim=1)
            for side in torch.from_numpy(pairs.T)
        )
        scores = left @ right.T * scale
        matches = torch.arange(len(pairs))
        loss = functional.cross_entropy(scores, matches)
        loss += functional.cross_entropy(scores.T, matches)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head.detach()


def _distinct(pairs: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return up to `BATCH_PAIRS` random pairs in which no text comes twice on one side."""
    drawn = pairs[rng.permutation(len(pairs))[:BATCH_PAIRS]]
    for side in (0, 1):
        _, first = np.unique(drawn[:, side], return_index=True)
        drawn = drawn[first]
    return drawn


def _dropped(vectors: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    mask = torch.rand(vectors.shape, generator=generator) >= DROPOUT
    return vectors * mask / (1 - DROPOUT)
