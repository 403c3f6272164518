"""The steps of a run: batches in, gradients, learning rates, checkpoints."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from konayuki.errors import CheckpointError, InputError
from konayuki.files import replacing
from konayuki.model.tokens import TokenBatch
from konayuki.progress import track
from konayuki.training.batch_plan import BatchPlan, Rows
from konayuki.training.distillation import Distillation
from konayuki.training.losses import LOSSES, Sides
from konayuki.training.network import TrainedSSE
from konayuki.training.pair_store import PairStore
from konayuki.training.recipe import Recipe, TrainingSettings

CHECKPOINT = "checkpoint.pt"
# The teachers' first steps push hard on random rows: half of the rate, rising over ten steps.
FIRST_RATE = 0.5
FIRST_WARMUP = 10
FIRST_DRAWS, LATER_DRAWS = 1, 2  # streams of random numbers, apart from that of the batches


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
    """A network, which is trained in place, its optimiser, and the stream of batches of `rows`."""

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
        self._loss = LOSSES[recipe.loss.kind]
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
        # Dense Adam, though a batch touches a part of the rows only: the rows that it does not
        # touch go on moving by their momentum, which sparse Adam would stop.
        self._optimiser = torch.optim.Adam(
            network.parameters(), lr=settings.learning_rate, eps=settings.adam_epsilon, fused=True
        )

    def steps(self) -> Iterator[float]:
        """Yield the mean loss of each step that is still to do.

        Raises:
            InputError: A loss is no longer a finite number.
        """
        settings = self._recipe.training
        parts = settings.gradient_accumulation
        batches = self._plan.batches(self.n_steps * parts)
        for _ in range(self.progress.step * parts):
            next(batches)  # a resumed run draws the batches of its earlier steps and skips them
        if not self.progress.step and self._distillation:
            self._distil_first(self._distillation)
        while self.progress.step < self.n_steps:
            step = self.progress.step
            # Rounded rows in the last steps only: before, rows move further than a level in a step.
            self.network.see_quantized_rows(step >= self.n_steps * (1 - settings.quantized_share))
            self._set_rate(settings.learning_rate * rate(step, self.n_steps, settings))
            loss = sum(self._gradient(next(batches), step, parts) for _ in range(parts))
            check_loss(loss, step + 1, settings)
            if self._distillation and step % self._recipe.distillation.every == 0:
                rng = np.random.default_rng((settings.seed, LATER_DRAWS, step))
                self._distillation.weighted_loss(self.network, rng).backward()
            if settings.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.max_grad_norm)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=False)  # the table's 64 MB are used again
            self.progress.step += 1
            yield loss

    def _distil_first(self, distillation: Distillation) -> None:
        """Take the first steps on the divergence alone: a good place for the pairs to start."""
        training = self._recipe.training
        self.network.see_quantized_rows(False)
        numbers = range(self._recipe.distillation.first_steps)
        for step in track(numbers, "distil", total=len(numbers), unit="step"):
            warmth = min(1.0, (step + 1) / FIRST_WARMUP)
            self._set_rate(FIRST_RATE * training.learning_rate * warmth)
            rng = np.random.default_rng((training.seed, FIRST_DRAWS, step))
            distillation.loss(self.network, rng).backward()
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=False)

    def _set_rate(self, learning_rate: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate

    def save(self, folder: Path) -> None:
        """Write the checkpoint of the run; a run that is killed meanwhile keeps the last one."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            **asdict(self.progress),
        }
        with replacing(folder / CHECKPOINT) as temporary:
            torch.save(state, temporary)

    def resume(self, folder: Path) -> None:
        """Resume from the checkpoint in a folder; without one, start.

        Raises:
            CheckpointError: It does not belong to this recipe, or is damaged.
        """
        path = folder / CHECKPOINT
        if not path.exists():
            return
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            seconds = float(state.get("seconds", 0.0))  # older checkpoints lack both
            losses = list(state.get("losses", []))
            self.progress = Progress(int(state["step"]), list(state["history"]), seconds, losses)
            self.earlier_seconds = seconds
        except Exception as error:  # torch raises whatever the damage leads to
            raise CheckpointError(f"{path} cannot be resumed: {error}") from error
        if self.progress.step > self.n_steps:
            raise CheckpointError(
                f"{path} is at step {self.progress.step}: "
                f"expected at most {self.n_steps}, the steps of the recipe"
            )

    def _gradient(self, rows: Rows, step: int, parts: int) -> float:
        """Add the gradient of one batch; return its share of the loss."""
        settings = self._recipe.training
        pairs = np.asarray(self._store.pairs[rows], dtype=np.int64)
        negatives = pairs[:, 2][pairs[:, 2] >= 0]
        passages = np.concatenate([pairs[:, 1], negatives])
        # Seeded by step and batch, not carried along: a resumed run draws the same.
        rng = np.random.default_rng((settings.seed, step, int(rows[0])))
        sides = Sides(
            self._bags(pairs[:, 0], settings.max_query_tokens, rng),
            self._bags(passages, settings.max_passage_tokens, rng),
        )
        loss = self._loss(self.network, sides, self._recipe)
        (loss / parts).backward()
        return float(loss.item()) / parts

    def _bags(self, texts: Rows, longest: int, rng: np.random.Generator) -> TokenBatch:
        """Return the tokens of some texts as this step sees them: every augmentation is here."""
        batch = self._store.bags(texts, longest)
        if dropout := self._recipe.training.token_dropout:
            batch = without_some(batch, dropout, rng)
        return batch


def check_loss(loss: float, step: int, settings: TrainingSettings) -> None:
    """Refuse to continue with a loss that is not a finite number.

    Raises:
        InputError: Names the step.
    """
    if not math.isfinite(loss):
        raise InputError(
            f"the loss at step {step} is {loss}: expected a finite number\n"
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
    keep[starts] = True  # an empty bag has no gradient and would count as a wrong answer
    ends = np.concatenate([[0], np.cumsum(keep)])
    return TokenBatch(batch.ids[keep], ends[batch.offsets])
