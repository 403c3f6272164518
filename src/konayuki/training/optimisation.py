"""The steps of a run: batches in, gradients, learning rates, checkpoints."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from konayuki.errors import CheckpointError, InputError
from konayuki.model.tokens import TokenBatch
from konayuki.progress import track
from konayuki.training.batch_plan import BatchPlan, Rows
from konayuki.training.distillation import Distillation
from konayuki.training.network import TrainedSSE
from konayuki.training.pair_store import PairStore
from konayuki.training.precision import product_dtype
from konayuki.training.ranking_loss import nested_ranking_loss
from konayuki.training.recipe import Recipe, TrainingSettings

CHECKPOINT = "checkpoint.pt"
FIRST_WARMUP = 10  # steps
FIRST_DRAWS, LATER_DRAWS = 1, 2  # streams of random numbers beside that of the batches


@dataclass
class Progress:
    """How far a run is: optimiser steps done, what was noted on the way, seconds that it took.

    `losses` are those of the steps since the last note.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


class Optimisation:
    """A network, its optimiser, and the stream of batches.

    Args:
        network: trained in place.
        store: the pairs.
        rows: the pairs that may be used.
        recipe: the settings.
        distillation: a second loss, where the recipe has a teacher.
    """

    def __init__(
        self,
        network: TrainedSSE,
        store: PairStore,
        rows: Rows,
        recipe: Recipe,
        distillation: Distillation | None = None,
    ) -> None:
        settings = recipe.training
        self.network = network
        self.progress = Progress()
        self.earlier_seconds = 0.0  # before it was resumed
        self._store = store
        self._recipe = recipe
        self._distillation = distillation
        self._plan = BatchPlan(
            store,
            rows,
            settings.batch_size,
            seed=settings.seed,
            unique=settings.batch_sampler == "no_duplicates",
            source_batches=settings.source_batches,
        )
        per_step = settings.batch_size * settings.gradient_accumulation
        self.n_steps = settings.steps or max(
            1, int(settings.epochs * self._plan.pairs_per_epoch / per_step)
        )
        self._optimiser = torch.optim.Adam(
            network.parameters(),
            lr=settings.learning_rate,
            betas=(settings.adam_beta1, settings.adam_beta2),
            eps=settings.adam_epsilon,
            fused=True,
        )

    def steps(self) -> Iterator[float]:
        """Yield the mean loss of each step that is still to do.

        Raises:
            InputError: a loss is no number any more.
        """
        settings = self._recipe.training
        parts = settings.gradient_accumulation
        batches = self._plan.batches(self.n_steps * parts)
        for _ in range(self.progress.step * parts):
            next(batches)  # a resumed run draws what it drew before, and goes on behind it
        if not self.progress.step:
            self._listen()
        while self.progress.step < self.n_steps:
            step = self.progress.step
            share = settings.quantized_share
            self.network.see_quantized_rows(step >= self.n_steps * (1 - share))
            for group in self._optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate(step, self.n_steps, settings)
            loss = sum(self._gradient(next(batches), step, parts) for _ in range(parts))
            check_loss(loss, step + 1, settings)
            self._add_teaching(step)
            if settings.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.max_grad_norm)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=False)
            self.progress.step += 1
            yield loss

    def _listen(self) -> None:
        """Take the first steps, from the teacher alone."""
        settings = self._recipe.distillation
        if not self._distillation:
            return
        self.network.see_quantized_rows(False)
        rate_of_all = settings.first_rate * self._recipe.training.learning_rate
        numbers = range(settings.first_steps)
        for step in track(numbers, "distil", total=len(numbers), unit="step"):
            for group in self._optimiser.param_groups:
                group["lr"] = rate_of_all * min(1.0, (step + 1) / FIRST_WARMUP)
            rng = np.random.default_rng((self._recipe.training.seed, FIRST_DRAWS, step))
            self._distillation.loss(self.network, rng).backward()
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=False)

    def _add_teaching(self, step: int) -> None:
        """Add the gradient of the teacher's share of a step."""
        settings = self._recipe.distillation
        if self._distillation and step % settings.every == 0:
            rng = np.random.default_rng((self._recipe.training.seed, LATER_DRAWS, step))
            self._distillation.weighted_loss(self.network, rng).backward()

    def save(self, folder: Path) -> None:
        """Write the checkpoint of the run; a run that is killed meanwhile keeps the last one."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.progress.step,
            "history": self.progress.history,
            "seconds": self.progress.seconds,
            "losses": self.progress.losses,
        }
        torch.save(state, folder / f"{CHECKPOINT}.new")
        (folder / f"{CHECKPOINT}.new").replace(folder / CHECKPOINT)

    def resume(self, folder: Path) -> None:
        """Go on from the checkpoint in a folder; without one, start.

        Raises:
            CheckpointError: it does not belong to this recipe, or is damaged.
        """
        path = folder / CHECKPOINT
        if not path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            seconds = float(state.get("seconds", 0.0))
            losses = list(state.get("losses", []))
            self.progress = Progress(int(state["step"]), list(state["history"]), seconds, losses)
            self.earlier_seconds = seconds
        except Exception as error:  # torch raises whatever the damage leads to
            raise CheckpointError(f"{path} cannot be resumed: {error}") from error
        if self.progress.step > self.n_steps:
            raise CheckpointError(
                f"{path} is behind step {self.progress.step}, but the recipe has {self.n_steps}"
            )

    def _gradient(self, rows: Rows, step: int, parts: int) -> float:
        """Add the gradient of one batch; return its share of the loss."""
        recipe = self._recipe
        settings = recipe.training
        pairs = np.asarray(self._store.pairs[rows], dtype=np.int64)
        negatives = pairs[:, 2][pairs[:, 2] >= 0]
        rng = np.random.default_rng((settings.seed, step, int(rows[0])))
        queries = self._vectors(pairs[:, 0], settings.max_query_tokens, rng)
        passages = np.concatenate([pairs[:, 1], negatives])
        candidates = self._vectors(passages, settings.max_passage_tokens, rng)
        loss = nested_ranking_loss(
            queries,
            candidates,
            dims=recipe.model.dims,
            weights=recipe.loss.dim_weights,
            scale=recipe.loss.scale,
            symmetric=recipe.loss.symmetric,
            dtype=product_dtype(settings.bf16),
        )
        (loss / parts).backward()
        return float(loss.item()) / parts

    def _vectors(self, texts: Rows, longest: int, rng: np.random.Generator) -> torch.Tensor:
        batch = self._store.bags(texts, longest)
        if dropout := self._recipe.training.token_dropout:
            batch = without_some(batch, dropout, rng)
        return self.network.outputs(batch)


def check_loss(loss: float, step: int, settings: TrainingSettings) -> None:
    """Refuse to go on with a loss that is no number.

    Raises:
        InputError: names the step.
    """
    if not math.isfinite(loss):
        raise InputError(
            f"the loss at step {step} is {loss}; expected a finite number\n"
            f"hint: a training.learning_rate lower than {settings.learning_rate}"
        )


def rate(step: int, n_steps: int, settings: TrainingSettings) -> float:
    """Return the factor of the learning rate for the step with this number, from 0."""
    n_warm = max(1, round(settings.warmup_ratio * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    done = (step - n_warm) / max(1, n_steps - n_warm)
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if settings.schedule == "linear" else 1.0


def without_some(batch: TokenBatch, dropout: float, rng: np.random.Generator) -> TokenBatch:
    """Return the bags without a random share of their tokens; each keeps its first one."""
    keep = rng.random(len(batch.ids), dtype=np.float32) >= dropout
    starts = batch.offsets[:-1][np.diff(batch.offsets) > 0]
    keep[starts] = True
    kept = np.concatenate([[0], np.cumsum(keep)])
    return TokenBatch(batch.ids[keep], kept[batch.offsets])
