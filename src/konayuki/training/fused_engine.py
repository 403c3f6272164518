"""The engine `fused`: our own loop, with its evaluations and checkpoints."""

from pathlib import Path

from konayuki.progress import track
from konayuki.training.development import named_scores, score_tasks
from konayuki.training.distillation import Distillation
from konayuki.training.engines import Outcome
from konayuki.training.network import TrainedSSE
from konayuki.training.optimisation import Optimisation
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import Recipe


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
        show_progress: a bar on stderr, where that is a terminal.

    Raises:
        CheckpointError: the checkpoint is damaged or of another recipe.
    """
    teaching = Distillation(prepared.taught, recipe) if prepared.taught else None
    run = Optimisation(network, prepared.store, prepared.rows, recipe, teaching)
    if resume:
        run.resume(out)
    settings = recipe.training
    history = run.progress.history
    losses: list[float] = []
    total = run.n_steps - run.progress.step
    for loss in track(run.steps(), "train", total=total, unit="step", enabled=show_progress):
        losses.append(loss)
        step = run.progress.step
        if step % settings.log_steps == 0 or step == run.n_steps:
            history.append({"step": step, "loss": sum(losses) / len(losses)})
            losses = []
        due = settings.evaluation_steps and step % settings.evaluation_steps == 0
        if prepared.tasks and (due or step == run.n_steps):
            weights, dims = run.network.weights(), recipe.model.dims[:1]
            scores = score_tasks(weights, prepared.store, prepared.tasks, dims)
            history.append({"step": step, **named_scores(scores)})
        if settings.checkpoint_steps and step % settings.checkpoint_steps == 0:
            run.save(out)
    return Outcome(run.network.weights(), run.n_steps, history)
