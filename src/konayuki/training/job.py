"""What a training loop is given and returns.

The loop of the package is `konayuki.training.fused_engine`; `tools/trainer` has another one, the
Trainer of sentence-transformers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from konayuki.model.weights import Weights
from konayuki.training.network import TrainedSSE
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import Recipe

MEAN_SCORE = "mean_ndcg@10"


@dataclass(frozen=True)
class Job:
    """A run, as a loop is given it.

    Attributes:
        recipe: The settings.
        prepared: The pairs and tasks.
        network: The network at its start; trained in place.
        out: The folder of the run, for checkpoints.
        resume: Whether to resume from the last checkpoint, if there is one.
        show_progress: Whether to show a bar and the held-out scores on stderr.
    """

    recipe: Recipe
    prepared: Prepared
    network: TrainedSSE
    out: Path
    resume: bool = False
    show_progress: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a loop made.

    Attributes:
        weights: The weights of the trained model.
        n_steps: The optimiser steps of the whole run.
        history: Records with `step` and either `loss` or scores whose names end in `ndcg@10`.
        earlier_seconds: What the run took before it was resumed, if the loop knows.
    """

    weights: Weights
    n_steps: int
    history: list[dict[str, float]]
    earlier_seconds: float = 0.0


def score_line(history: Sequence[Mapping[str, float]], n_steps: int, run: str = "") -> str:
    """Return the line about the last scores of a history; `run` names it, if there are several."""
    losses = [entry["loss"] for entry in history if "loss" in entry]
    loss = f"loss {losses[-1]:.4f}, " if losses else ""
    last = history[-1]
    return f"step {last['step']} of {n_steps}{run}: {loss}held-out nDCG@10 {last[MEAN_SCORE]:.4f}"
