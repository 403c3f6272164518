"""The two ways to train, and what each can do.

`fused` is our own loop: one process, tokens from mapped files, a loss that keeps no score matrix.
`sentence-transformers` is that library's own Trainer with its own losses and samplers: several
processes, any accelerator, and the behaviour that the seed's model card describes.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from konayuki.errors import InputError
from konayuki.model.weights import Weights
from konayuki.training.recipe import ENGINES, Recipe

FUSED, STOCK = ENGINES
STOCK_CHECKPOINTS = "checkpoints"  # folder of a run
LONGEST_PREPARATION = timedelta(hours=24)
MEAN_SCORE = "mean_ndcg@10"

# The keys that the Trainer knows, besides those of the model; others must keep their defaults.
STOCK_KEYS: dict[str, set[str]] = {
    "distillation": set(),
    "loss": {"scale", "symmetric", "gather", "dim_weights"},
    "training": {
        "engine",
        "batch_size",
        "gradient_accumulation",
        "epochs",
        "steps",
        "learning_rate",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "max_grad_norm",
        "schedule",
        "warmup_ratio",
        "bf16",
        "batch_sampler",
        "max_query_tokens",
        "max_passage_tokens",
        "workers",
        "neighbour_share",
        "seed",
        "threads",
        "log_steps",
        "evaluation_steps",
        "checkpoint_steps",
    },
}


@dataclass(frozen=True)
class Outcome:
    """What an engine made.

    Attributes:
        weights: of the trained model.
        n_steps: optimiser steps of the whole run.
        history: records with `step` and either `loss` or scores whose names end in `ndcg@10`.
        earlier_seconds: that the run took before it was resumed, where the engine knows.
    """

    weights: Weights
    n_steps: int
    history: list[dict[str, float]]
    earlier_seconds: float = 0.0


def check_engine(recipe: Recipe) -> None:
    """Refuse a recipe that its engine cannot follow, before any data is read.

    Raises:
        InputError: the fused engine is asked to share the work with other processes, or the
            Trainer is asked for something that only the fused engine does.
    """
    if recipe.training.engine == FUSED:
        if n_processes() > 1:
            raise InputError(
                f"training.engine is {FUSED!r}, which trains in one process, not {n_processes()}\n"
                f'hint: start it without torchrun, or set training.engine = "{STOCK}"'
            )
        return
    for table, known in STOCK_KEYS.items():
        section = getattr(recipe, table)
        for field in dataclasses.fields(section):
            value = getattr(section, field.name)
            if field.name not in known and value != _default(field):
                raise InputError(
                    f"{table}.{field.name} is {value!r}, which the engine {STOCK!r} does not know\n"
                    f'hint: leave the key out, or set training.engine = "{FUSED}"'
                )
    longest = recipe.training.max_query_tokens, recipe.training.max_passage_tokens
    if len(set(longest)) > 1:
        raise InputError(
            "training.max_query_tokens and training.max_passage_tokens are "
            f"{longest[0]} and {longest[1]}; the engine {STOCK!r} cuts both sides alike"
        )


def score_line(history: Sequence[Mapping[str, float]], n_steps: int, run: str = "") -> str:
    """Return what a run says of its last held-out scores.

    Args:
        history: that of an `Outcome`, ending with scores.
        n_steps: of the whole run.
        run: which one it is of several.
    """
    losses = [entry["loss"] for entry in history if "loss" in entry]
    loss = f"loss {losses[-1]:.4f}, " if losses else ""
    last = history[-1]
    return f"step {last['step']} of {n_steps}{run}: {loss}held-out nDCG@10 {last[MEAN_SCORE]:.4f}"


def _default(field: "dataclasses.Field[Any]") -> object:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def n_processes() -> int:
    """Return how many processes `torchrun` started for this run: 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Say whether this process writes the results."""
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
    """Return when every process has come here."""
    if n_processes() > 1:
        _processes().wait_for_everyone()


def _processes() -> Any:  # noqa: ANN401 - of an optional package
    """Return what the processes of this run wait for each other with."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_PREPARATION)
