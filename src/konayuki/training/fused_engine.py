"""The engine `fused`: our own loop, with its evaluations and checkpoints.

With `training.runs` it trains several times from one start, each time with draws of its own, and
keeps the mean (`konayuki.training.finish.mean_of_runs`).
"""

import time
from pathlib import Path

from konayuki.progress import say, track
from konayuki.training.development import named_scores, score_tasks
from konayuki.training.distillation import Distillation
from konayuki.training.finish import Parameters, mean_of_runs
from konayuki.training.job import Job, Outcome, score_line
from konayuki.training.network import TrainedSSE
from konayuki.training.optimisation import Optimisation
from konayuki.training.recipe import TrainingSettings

RUN_FOLDER = "run-"  # and a number: what one of several runs needs to be resumed


def train_fused(job: Job) -> Outcome:
    """Train the network in place.

    Raises:
        CheckpointError: The checkpoint is damaged or of another recipe.
        InputError: The loss is no longer a finite number.
    """
    settings, network = job.recipe.training, job.network
    start = _parameters(network)
    states: list[Parameters] = []
    history: list[dict[str, float]] = []
    earlier = 0.0
    for number in range(settings.runs):
        network.load_state_dict(start)
        run = _run(job, number)
        earlier += run.earlier_seconds
        offset = number * run.n_steps
        history += [{**entry, "step": entry["step"] + offset} for entry in run.progress.history]
        states.append(_parameters(network))
    n_steps = settings.runs * run.n_steps
    if settings.runs > 1 or settings.start_share:
        network.load_state_dict(mean_of_runs(states, start, settings.start_share))
        if job.prepared.tasks:
            history.append(_scores(job, n_steps))
    return Outcome(network.weights(), n_steps, history, earlier)


def run_folder(out: Path, number: int) -> Path:
    """Return the folder with the checkpoint of one of several runs."""
    return out / f"{RUN_FOLDER}{number + 1}"


def _run(job: Job, number: int) -> Optimisation:
    """Train the network once, with the draws of run `number`."""
    prepared, several = job.prepared, job.recipe.training.runs > 1
    seed = job.recipe.training.seed + number
    settings = job.recipe.training.model_copy(update={"seed": seed})
    recipe = job.recipe.model_copy(update={"training": settings})
    folder = run_folder(job.out, number) if several else job.out
    folder.mkdir(parents=True, exist_ok=True)
    distillation = Distillation(prepared.taught, recipe) if prepared.taught else None
    run = Optimisation(job.network, prepared.store, prepared.rows, recipe, distillation)
    if job.resume:
        run.resume(folder)
    progress, done = run.progress, run.progress.step
    start = time.perf_counter() - progress.seconds
    name = f", run {number + 1} of {settings.runs}" if several else ""
    # Otherwise this score and those that are printed in the end seem to contradict each other.
    note = _still_to_come(settings)
    steps = track(
        run.steps(), "train", total=run.n_steps - done, unit="step", enabled=job.show_progress
    )
    for loss in steps:
        progress.losses.append(loss)
        progress.seconds = time.perf_counter() - start
        step, last = progress.step, progress.step == run.n_steps
        if step % settings.log_steps == 0 or last:
            mean = sum(progress.losses) / len(progress.losses)
            progress.history.append({"step": step, "loss": mean})
            progress.losses.clear()
        if prepared.tasks and (_is_due(step, settings.evaluation_steps) or last):
            progress.history.append(_scores(job, step))
            if job.show_progress:
                say(score_line(progress.history, run.n_steps, name) + note)
        # The end of one of several runs is kept, too: the mean needs it after a resume.
        if _is_due(step, settings.checkpoint_steps) or (last and several):
            run.save(folder)
    return run


def _still_to_come(settings: TrainingSettings) -> str:
    """Return what changes the weights after the last step of a run, for the line of its score."""
    later = ["before the mean of all runs"] if settings.runs > 1 else []
    if settings.start_share:
        later.append(f"before {settings.start_share:.0%} of the start is mixed in")
    return f" ({', '.join(later)})" if later else ""


def _is_due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0


def _scores(job: Job, step: int) -> dict[str, float]:
    dims = job.recipe.model.dims[:1]
    scores = score_tasks(job.network.weights(), job.prepared.store, job.prepared.tasks, dims)
    return {"step": step, **named_scores(scores)}


def _parameters(network: TrainedSSE) -> Parameters:
    return {name: values.detach().clone() for name, values in network.state_dict().items()}
