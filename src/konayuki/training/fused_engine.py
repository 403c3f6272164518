"""The engine `fused`: our own loop, with its evaluations and checkpoints.

With `training.runs` it trains several times from one start, each time with draws of its own, and
keeps the mean of the parameters. Runs from one start stay aligned, so the mean of the tables is the
mean of the embeddings: what the draws left in one table alone is averaged away. For the same reason
the start itself may have a share in the mean (`training.start_share`), which keeps more of what it
knew.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import torch

from konayuki.progress import say, track
from konayuki.training.development import named_scores, score_tasks
from konayuki.training.distillation import Distillation
from konayuki.training.engines import Outcome, score_line
from konayuki.training.network import TrainedSSE
from konayuki.training.optimisation import Optimisation
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import Recipe

RUN_FOLDER = "run-"  # and a number: what one of several runs needs to go on

Parameters: TypeAlias = dict[str, torch.Tensor]


def train_fused(
    recipe: Recipe,
    prepared: Prepared,
    network: TrainedSSE,
    out: Path,
    *,
    resume: bool,
    show_progress: bool,
) -> Outcome:
    """Train the network in place.

    Args:
        recipe: the settings.
        prepared: pairs and tasks.
        network: at its start.
        out: the folder of the run, for checkpoints.
        resume: go on from the last checkpoint; without one, start.
        show_progress: a bar and the held-out scores on stderr.

    Raises:
        CheckpointError: the checkpoint is damaged or of another recipe.
        InputError: the loss is no number any more.
    """
    n_runs = recipe.training.runs
    start = _copy(network.state_dict())
    total: Parameters = {}
    history: list[dict[str, float]] = []
    earlier = 0.0
    for number in range(n_runs):
        network.load_state_dict(start)
        folder = run_folder(out, number) if n_runs > 1 else out
        run = _run(recipe, prepared, network, folder, number, resume, show_progress)
        earlier += run.earlier_seconds
        offset = number * run.n_steps
        history += [{**entry, "step": entry["step"] + offset} for entry in run.progress.history]
        state = _copy(network.state_dict())
        total = {name: total[name] + values for name, values in state.items()} if total else state
    share = recipe.training.start_share
    if n_runs > 1 or share:
        mean = {name: values / n_runs for name, values in total.items()}
        network.load_state_dict(
            {name: values.lerp(start[name], share) for name, values in mean.items()}
        )
        if prepared.tasks:
            history.append(_scored(n_runs * run.n_steps, network, recipe, prepared))
    return Outcome(network.weights(), n_runs * run.n_steps, history, earlier)


def run_folder(out: Path, number: int) -> Path:
    """Return where the checkpoint of one of several runs lies."""
    return out / f"{RUN_FOLDER}{number + 1}"


def _run(
    recipe: Recipe,
    prepared: Prepared,
    network: TrainedSSE,
    folder: Path,
    number: int,
    resume: bool,
    show_progress: bool,
) -> Optimisation:
    """Train the network once, with the draws of run `number`."""
    settings = replace(recipe.training, seed=recipe.training.seed + number)
    recipe = replace(recipe, training=settings)
    teaching = Distillation(prepared.taught, recipe) if prepared.taught else None
    run = Optimisation(network, prepared.store, prepared.rows, recipe, teaching)
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        run.resume(folder)
    history, losses = run.progress.history, run.progress.losses
    done = run.progress.step
    start = time.perf_counter() - run.progress.seconds
    for loss in track(
        run.steps(), "train", total=run.n_steps - done, unit="step", enabled=show_progress
    ):
        losses.append(loss)
        run.progress.seconds = time.perf_counter() - start
        step = run.progress.step
        last = step == run.n_steps
        if step % settings.log_steps == 0 or last:
            history.append({"step": step, "loss": sum(losses) / len(losses)})
            losses.clear()
        due = settings.evaluation_steps and step % settings.evaluation_steps == 0
        if prepared.tasks and (due or last):
            history.append(_scored(step, network, recipe, prepared))
            if show_progress:
                say(score_line(history, run.n_steps, _named(number, settings.runs)))
        due = settings.checkpoint_steps and step % settings.checkpoint_steps == 0
        if due or (last and settings.runs > 1):
            run.save(folder)
    return run


def _scored(step: int, network: TrainedSSE, recipe: Recipe, prepared: Prepared) -> dict[str, float]:
    scores = score_tasks(network.weights(), prepared.store, prepared.tasks, recipe.model.dims[:1])
    return {"step": step, **named_scores(scores)}


def _named(number: int, n_runs: int) -> str:
    return f", run {number + 1} of {n_runs}" if n_runs > 1 else ""


def _copy(state: Parameters) -> Parameters:
    return {name: values.detach().clone() for name, values in state.items()}
