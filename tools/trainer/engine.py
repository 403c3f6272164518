"""The Trainer of sentence-transformers with its losses and samplers, on our module.

Batches hold one source each, as the Trainer's multi-data-set sampler draws them, in proportion to
the sources' sizes. Every text is tokenised again in every epoch; the fused engine does not.
"""

import json
import sys
from collections.abc import Sequence
from inspect import signature
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

try:  # sentence-transformers 6
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
    from sentence_transformers.sentence_transformer.losses import (
        MatryoshkaLoss,
        MultipleNegativesRankingLoss,
    )
except ImportError:
    from sentence_transformers.evaluation import SentenceEvaluator
    from sentence_transformers.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
    from sentence_transformers.training_args import BatchSamplers

from konayuki.errors import CheckpointError, InputError
from konayuki.progress import say
from konayuki.training.development import named_scores, score_tasks
from konayuki.training.job import MEAN_SCORE, Job, Outcome, score_line
from konayuki.training.optimisation import check_loss
from konayuki.training.out_folder import TRAINER_CHECKPOINTS
from konayuki.training.recipe import Recipe, TrainingSettings
from trainer.data import data_sets
from trainer.processes import n_processes

STATE = "trainer_state.json"  # of a checkpoint; the Trainer writes it last
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class DevelopmentEvaluator(SentenceEvaluator):
    """Scores the held-out tasks whenever the Trainer evaluates."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self.primary_metric = MEAN_SCORE

    def __call__(
        self,
        model: SentenceTransformer,
        output_path: str | None = None,
        epoch: float = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Return nDCG@10 of every task and their mean."""
        weights, prepared = self._job.network.weights(), self._job.prepared
        return named_scores(score_tasks(weights, prepared.store, prepared.tasks, [weights.dim]))


class RunCallback(TrainerCallback):
    """Shows the held-out scores on stderr, and ends a run whose loss is not a finite number."""

    def __init__(self, settings: TrainingSettings, *, show_scores: bool) -> None:
        self._settings, self._show_scores = settings, show_scores

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Show what the evaluation that has just ended came to, from the first process only."""
        if self._show_scores and state.is_world_process_zero:
            say(score_line(history_of(state.log_history), state.max_steps))

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
    job: Job, *, workers: int = 0, callbacks: Sequence[TrainerCallback] = ()
) -> Outcome:
    """Train the network in place.

    Args:
        job: The run.
        workers: Processes that tokenise.
        callbacks: Further callbacks of the Trainer.

    Raises:
        CheckpointError: The last checkpoint is damaged or of another recipe.
        InputError: No pair is left to train on, or the loss is no longer a finite number.
    """
    recipe, prepared, settings = job.recipe, job.prepared, job.recipe.training
    longest: Any = settings.max_query_tokens or None  # the module declares None only
    job.network.max_seq_length = longest
    if not len(prepared.rows):
        raise InputError("no pair is left to train on: everything is held out or left out")
    sets = data_sets(prepared.store, prepared.rows, seed=settings.seed)
    per_step = settings.batch_size * settings.gradient_accumulation * n_processes()
    n_pairs = sum(map(len, sets.values()))
    steps = settings.steps or max(1, int(settings.epochs * n_pairs / per_step))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Its own checkpoints name a class that is not the library's, so it asks for this.
    model = SentenceTransformer(modules=[job.network], device=device, trust_remote_code=True)
    evaluator = DevelopmentEvaluator(job)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments(job, steps, workers),
        train_dataset=sets,
        loss=nested_loss(model, recipe, gather=n_processes() > 1),
        evaluator=evaluator if prepared.tasks else None,
        callbacks=[*callbacks, RunCallback(settings, show_scores=job.show_progress)],
    )
    trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is for data
    _train(trainer, last_checkpoint(job.out) if job.resume else None, steps)
    history = history_of(trainer.state.log_history)
    scored = any(entry["step"] == steps and "loss" not in entry for entry in history)
    if prepared.tasks and not scored:
        history.append({"step": steps, **evaluator(model)})
    return Outcome(job.network.weights(), steps, history)


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
            raise  # it had resumed: the checkpoint is not to blame
        raise CheckpointError(f"{checkpoint} cannot be resumed: {error}") from error


def nested_loss(model: SentenceTransformer, recipe: Recipe, *, gather: bool) -> Any:  # noqa: ANN401
    """Return MatryoshkaLoss over MultipleNegativesRankingLoss for a recipe.

    Args:
        model: The model.
        recipe: Gives dimensions and scale.
        gather: Rank for the passages of all processes, so that two with half of the batch each
            learn what one with the whole batch does.
    """
    chosen: dict[str, Any] = {"scale": recipe.loss.scale, "gather_across_devices": gather}
    kind = MultipleNegativesRankingLoss
    if recipe.loss.kind == "symmetric" and "directions" in signature(kind).parameters:
        chosen["directions"] = ("query_to_doc", "doc_to_query")
        chosen["partition_mode"] = "per_direction"
    elif recipe.loss.kind == "symmetric":
        from sentence_transformers import losses

        kind = losses.MultipleNegativesSymmetricRankingLoss
    loss = kind(model, **chosen)
    return MatryoshkaLoss(model, loss, matryoshka_dims=list(recipe.model.dims))


def arguments(job: Job, steps: int, workers: int) -> SentenceTransformerTrainingArguments:
    """Return the Trainer's arguments for a run of N steps."""
    settings = job.recipe.training
    evaluates = bool(settings.evaluation_steps and job.recipe.development)
    sampler = BatchSamplers.BATCH_SAMPLER
    if settings.batch_sampler == "no_duplicates":  # compared by hash if the version can
        sampler = getattr(BatchSamplers, "NO_DUPLICATES_HASHED", BatchSamplers.NO_DUPLICATES)
    return SentenceTransformerTrainingArguments(
        output_dir=str(job.out / TRAINER_CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        adam_epsilon=settings.adam_epsilon,
        weight_decay=0.0,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        lr_scheduler_type=SCHEDULES[settings.schedule],
        warmup_steps=max(1, round(settings.warmup_ratio * steps)),
        bf16=settings.bf16,
        use_cpu=not torch.cuda.is_available(),
        batch_sampler=sampler,
        dataloader_num_workers=workers,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.evaluation_steps or None,
        save_strategy="steps" if settings.checkpoint_steps else "no",
        save_steps=settings.checkpoint_steps or 500,
        save_total_limit=2,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,  # it would hide such a loss from RunCallback
        report_to="none",
        disable_tqdm=not (job.show_progress and sys.stderr.isatty()),
        seed=settings.seed,
    )


def last_checkpoint(out: Path) -> Path | None:
    """Return the newest checkpoint of a run that was written to its end, or None."""
    checkpoints = (out / TRAINER_CHECKPOINTS).glob("checkpoint-*")
    return max(filter(_is_complete, checkpoints), key=step_of, default=None)


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
            noted = scores or {"loss": float(entry["loss"])}
            history.append({"step": int(entry["step"]), **noted})
    return history
