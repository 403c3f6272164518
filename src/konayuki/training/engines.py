"""What both training loops are given and return, and what each can do.

`fused` is our own loop: one process, tokens from mapped files, a loss that keeps no score matrix.
`sentence-transformers` is that library's own Trainer with its own losses and samplers: several
processes, any accelerator, and the behaviour that the original model's card describes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

from konayuki.errors import InputError
from konayuki.model.weights import Weights
from konayuki.training.network import TrainedSSE
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import FUSED, STOCK, Recipe, all_keys

STOCK_CHECKPOINTS = "checkpoints"  # folder of a run
LONGEST_PREPARATION = timedelta(hours=24)  # the default, 30 minutes, is less than teachers take
MEAN_SCORE = "mean_ndcg@10"


@dataclass(frozen=True)
class Job:
    """A run, as an engine is given it.

    Attributes:
        recipe: The settings; `check_engine` has seen them.
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
    """What an engine made.

    Attributes:
        weights: The weights of the trained model.
        n_steps: The optimiser steps of the whole run.
        history: Records with `step` and either `loss` or scores whose names end in `ndcg@10`.
        earlier_seconds: What the run took before it was resumed, if the engine knows.
    """

    weights: Weights
    n_steps: int
    history: list[dict[str, float]]
    earlier_seconds: float = 0.0


def check_engine(recipe: Recipe) -> None:
    """Refuse a recipe that its engine cannot follow, before any data is read.

    Raises:
        InputError: The fused engine is asked to share the work with other processes, or the
            Trainer is asked for something that only the fused engine does.
    """
    if recipe.training.engine == FUSED:
        if n_processes() > 1:
            raise InputError(
                f"training.engine is {FUSED!r}: expected one process, not {n_processes()}\n"
                f'hint: start it without torchrun, or set training.engine = "{STOCK}"'
            )
        return
    for key in all_keys():
        if key.engine != FUSED or "[]" in key.name:
            continue
        value = reduce(getattr, key.name.split("."), recipe)
        if value != key.field.default:
            raise InputError(
                f"{key.name} is {value!r}: expected nothing, as the engine {STOCK!r} does not know "
                f'it\nhint: leave the key out, or set training.engine = "{FUSED}"'
            )
    longest = recipe.training.max_query_tokens, recipe.training.max_passage_tokens
    if len(set(longest)) > 1:
        raise InputError(
            "training.max_query_tokens and training.max_passage_tokens are "
            f"{longest[0]} and {longest[1]}: expected one number, "
            f"as the engine {STOCK!r} cuts both sides alike"
        )


def score_line(history: Sequence[Mapping[str, float]], n_steps: int, run: str = "") -> str:
    """Return the line about the last held-out scores.

    Args:
        history: The history of an `Outcome`, ending with scores.
        n_steps: The steps of the whole run.
        run: Which run it is, if there are several.
    """
    losses = [entry["loss"] for entry in history if "loss" in entry]
    loss = f"loss {losses[-1]:.4f}, " if losses else ""
    last = history[-1]
    return f"step {last['step']} of {n_steps}{run}: {loss}held-out nDCG@10 {last[MEAN_SCORE]:.4f}"


def n_processes() -> int:
    """Return how many processes `torchrun` started for this run: 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Return whether this process writes the results."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def main_process_first() -> Iterator[None]:
    """Let the first process run the block alone, then the others: it fills the cache for them."""
    if n_processes() == 1:
        yield
        return
    with _processes().main_process_first():
        yield


def wait_for_all() -> None:
    """Return when every process has reached this point."""
    if n_processes() > 1:
        _processes().wait_for_everyone()


def _processes() -> Any:  # noqa: ANN401 - of an optional package
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_PREPARATION)
