"""The engine `sentence-transformers`: its Trainer, its losses, its samplers, our module.

Batches hold one source each, as the Trainer's multi-data-set sampler draws them, in proportion to
the sources' sizes. Every text is tokenised again in every epoch; the fused engine does not.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from transformers import (
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from konayuki.errors import CheckpointError, InputError
from konayuki.progress import say
from konayuki.training import stock
from konayuki.training.development import Task, named_scores, score_tasks
from konayuki.training.engines import (
    MEAN_SCORE,
    STOCK_CHECKPOINTS,
    Outcome,
    n_processes,
    score_line,
)
from konayuki.training.network import TrainedSSE
from konayuki.training.optimisation import check_loss
from konayuki.training.pair_store import PairStore
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import Recipe, TrainingSettings
from konayuki.training.text_tables import data_sets

STATE = "trainer_state.json"  # of a checkpoint; the Trainer writes it last
SCHEDULES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant_with_warmup",
}


class DevelopmentEvaluator(stock.SentenceEvaluator):
    """Scores the held-out tasks whenever the Trainer evaluates."""

    def __init__(self, network: TrainedSSE, store: PairStore, tasks: list[Task]) -> None:
        super().__init__()
        self._network, self._store, self._tasks = network, store, tasks
        self.primary_metric = MEAN_SCORE

    def __call__(
        self,
        model: SentenceTransformer,
        output_path: str | None = None,
        epoch: float = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Return nDCG@10 of every task and their mean."""
        weights = self._network.weights()
        return named_scores(score_tasks(weights, self._store, self._tasks, [weights.dim]))


class ScoreLines(TrainerCallback):
    """Says the held-out scores on stderr, by the first process alone."""

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Say what the evaluation that has just ended came to."""
        if state.is_world_process_zero:
            say(score_line(history_of(state.log_history), state.max_steps))


class LossGuard(TrainerCallback):
    """Ends a run whose loss is no number any more, when the loss is noted."""

    def __init__(self, settings: TrainingSettings) -> None:
        self._settings = settings

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Look at the loss that has just been noted."""
        if logs and "loss" in logs:
            check_loss(float(logs["loss"]), state.global_step, self._settings)


def train_with_trainer(
    recipe: Recipe,
    prepared: Prepared,
    network: TrainedSSE,
    out: Path,
    *,
    resume: bool,
    show_progress: bool,
    callbacks: Sequence[TrainerCallback] = (),
) -> Outcome:
    """Train the network in place.

    Args:
        recipe: the settings; `check_engine` has seen it.
        prepared: pairs and tasks.
        network: at its start.
        out: the folder of the run, for checkpoints.
        resume: go on from the last checkpoint; without one, start.
        show_progress: the held-out scores on stderr, and a bar where that is a terminal.
        callbacks: of the Trainer, besides its own.

    Raises:
        CheckpointError: the last checkpoint is damaged or of another recipe.
        InputError: no pair is left to train on, or the loss is no number any more.
    """
    settings = recipe.training
    longest: Any = settings.max_query_tokens or None  # the module declares None only
    network.max_seq_length = longest
    if not len(prepared.rows):
        raise InputError("no pair is left to train on: everything is held out or left out")
    sets = data_sets(prepared.store, prepared.rows, seed=settings.seed)
    steps = n_steps(recipe, sum(map(len, sets.values())))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Its own checkpoints name a class that is not the library's, so it asks for this.
    model = SentenceTransformer(modules=[network], device=device, trust_remote_code=True)
    evaluator = DevelopmentEvaluator(network, prepared.store, prepared.tasks)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments(recipe, out, steps, bar=show_progress and sys.stderr.isatty()),
        train_dataset=sets,
        loss=stock.nested_loss(model, recipe, gather=recipe.loss.gather and n_processes() > 1),
        evaluator=evaluator if prepared.tasks else None,
        callbacks=[*callbacks, LossGuard(settings), *([ScoreLines()] if show_progress else [])],
    )
    trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is for data
    checkpoint = last_checkpoint(out) if resume else None
    _train(trainer, checkpoint, steps)
    history = history_of(trainer.state.log_history)
    if prepared.tasks and not any(one["step"] == steps and "loss" not in one for one in history):
        history.append({"step": steps, **evaluator(model)})
    return Outcome(network.weights(), steps, history)


def _train(trainer: SentenceTransformerTrainer, checkpoint: Path | None, steps: int) -> None:
    """Train up to the last step, from a checkpoint if there is one."""
    try:
        if checkpoint and step_of(checkpoint) >= steps:  # the Trainer would take another step
            trainer.state = TrainerState.load_from_json(str(checkpoint / STATE))
            trainer._load_from_checkpoint(str(checkpoint))
        else:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if checkpoint is None or trainer.state.global_step > step_of(checkpoint):
            raise  # it went on for a while: the checkpoint is not to blame
        raise CheckpointError(f"{checkpoint} cannot be resumed: {error}") from error


def n_steps(recipe: Recipe, n_pairs: int) -> int:
    """Return the optimiser steps of a run."""
    settings = recipe.training
    per_step = settings.batch_size * settings.gradient_accumulation * n_processes()
    return settings.steps or max(1, int(settings.epochs * n_pairs / per_step))


def arguments(
    recipe: Recipe, out: Path, steps: int, *, bar: bool
) -> SentenceTransformerTrainingArguments:
    """Return the Trainer's arguments for a recipe."""
    settings = recipe.training
    evaluates = bool(settings.evaluation_steps and recipe.development)
    return SentenceTransformerTrainingArguments(
        output_dir=str(out / STOCK_CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        adam_beta1=settings.adam_beta1,
        adam_beta2=settings.adam_beta2,
        adam_epsilon=settings.adam_epsilon,
        weight_decay=0.0,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        lr_scheduler_type=SCHEDULES[settings.schedule],
        warmup_steps=max(1, round(settings.warmup_ratio * steps)),
        bf16=settings.bf16,
        use_cpu=not torch.cuda.is_available(),
        batch_sampler=stock.batch_sampler(settings.batch_sampler),
        dataloader_num_workers=settings.workers,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.evaluation_steps or None,
        save_strategy="steps" if settings.checkpoint_steps else "no",
        save_steps=settings.checkpoint_steps or 500,
        save_total_limit=2,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,  # it would hide such a loss from LossGuard
        report_to="none",
        disable_tqdm=not bar,
        seed=settings.seed,
    )


def last_checkpoint(out: Path) -> Path | None:
    """Return the newest checkpoint of a run that was written to its end, or None."""
    found = (out / STOCK_CHECKPOINTS).glob("checkpoint-*")
    return max(filter(_is_complete, found), key=step_of, default=None)


def _is_complete(checkpoint: Path) -> bool:
    try:
        return isinstance(json.loads((checkpoint / STATE).read_bytes()), dict)
    except (OSError, ValueError):
        return False


def step_of(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def history_of(log: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the losses and scores of the Trainer's log, as `train.json` keeps them."""
    history = []
    for entry in log:
        scores = {
            name.removeprefix("eval_"): value
            for name, value in entry.items()
            if name.startswith("eval_") and name.endswith("ndcg@10")
        }
        if "loss" in entry or scores:
            kept = scores or {"loss": float(entry["loss"])}
            history.append({"step": int(entry["step"]), **kept})
    return history
