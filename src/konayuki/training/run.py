"""A training run: recipe in, model folders and the record of the run out."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from konayuki.training.finish import (
    even_directions,
    layouts_of,
    silence_unknown,
    turn_to_neighbours,
)
from konayuki.training.fused_engine import train_fused
from konayuki.training.job import Job, Outcome
from konayuki.training.out_folder import (
    CACHE,
    begin,
    check_folder,
    check_recipe,
    claimed,
    finished_record,
    remove_checkpoints,
)
from konayuki.training.preparation import network_of, prepare
from konayuki.training.recipe import Recipe
from konayuki.training.results import record_of, write_results
from konayuki.training.start import Run, list_runs, read_start


@dataclass(frozen=True)
class Loop:
    """The loop of a run, and the processes that share it.

    Attributes:
        train: Trains a job.
        check: Refuses a recipe that the loop cannot follow, before any data is read.
        writes: Whether this process writes the results; one of them does.
        first: Lets the process that writes run a block alone: it fills the cache for the others.
        wait: Returns when every process has reached this point.
        facts: Gives what the record says about the loop.
    """

    train: Callable[[Job], Outcome]
    check: Callable[[Recipe], None] = lambda _: None
    writes: bool = True
    first: Callable[[], AbstractContextManager[None]] = nullcontext
    wait: Callable[[], None] = lambda: None
    facts: Callable[[Recipe], dict[str, Any]] = lambda _: {}


FUSED = Loop(train_fused)


def train(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    cache: Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    show_progress: bool = True,
    loop: Loop = FUSED,
) -> dict[str, Any]:
    """Train the model of a recipe; return the record that is also written as `train.json`.

    `out/float` and `out/q4` are model folders in the two layouts, each with its card; `SOURCES.tsv`
    lists what the model was trained on; `loss.png` and `ndcg.png` show the run.

    Args:
        recipe_path: A TOML recipe.
        data: The folder from which the recipe names its files.
        out: The folder of the results; it is created, and must be empty, but for `out/cache`,
            unless the run is resumed.
        cache: The folder that keeps tokenised pairs for other runs; default: `out/cache`.
        changes: Settings that replace those of the recipe, as in `training.steps=400`.
        resume: Resume from the last checkpoint in `out`, with the same recipe; a finished run is
            left as it is.
        show_progress: Whether to show bars (lines, without a terminal) and scores on stderr.
        loop: What trains; default: that of this package, in this process.

    Raises:
        InputError: The recipe is wrong or not that of the run to resume, `out` holds a run that
            is not resumed or other files, or another process trains into it.
        NotFoundError: The recipe or its data does not exist.
    """
    *earlier, last = runs = list_runs(recipe_path, out, changes)
    for run in runs:
        loop.check(run.recipe)
    cache = cache or out / CACHE
    if loop.writes:  # the others must not find what the first process has just begun
        check_folder(out, data, cache, resume=resume)
    if record := finished_record(out, last.recipe):
        return record
    if resume:
        check_recipe(out, last.recipe)
    seconds, record = 0.0, {}
    with ExitStack() as locks:
        if loop.writes:
            locks.enter_context(claimed(out, cache))
        for run in runs:
            loop.wait()  # before one makes the folder that tells others of a begun run
            # One that was trained, or begun, in an earlier attempt is not repeated.
            again = resume or run in earlier
            record = (finished_record(run.out, run.recipe) if again else None) or {}
            if not record:
                if again:
                    check_recipe(run.out, run.recipe)
                run.out.mkdir(parents=True, exist_ok=True)
                with claimed(run.out, cache) if run in earlier and loop.writes else nullcontext():
                    record = _train_one(run, data, cache, seconds, again, show_progress, loop)
            seconds = record["wall_s"]
    return record


def _train_one(
    run: Run, data: Path, cache: Path, seconds: float, resume: bool, show_progress: bool, loop: Loop
) -> dict[str, Any]:
    """Train a run, whose start is trained; `seconds` is what that took."""
    recipe, out = run.recipe, run.out
    before = read_start(run)
    with loop.first():
        torch.manual_seed(recipe.training.seed)
        torch.set_num_threads(recipe.training.threads or torch.get_num_threads())
        prepared = prepare(recipe, data, cache, run.path.parent, before)
        network = network_of(prepared, recipe, data, cache)
    if loop.writes:
        begin(out, recipe, prepared.store, resume=resume)
    start = time.perf_counter()  # preparation is not counted: a cache makes it seconds or an hour
    outcome = loop.train(Job(recipe, prepared, network, out, resume, show_progress))
    weights = turn_to_neighbours(outcome.weights, recipe.training.neighbour_share)
    weights = even_directions(weights, recipe.training.evenness, prepared.store)
    weights = silence_unknown(weights, prepared.tokenizer_json)
    seconds += outcome.earlier_seconds + time.perf_counter() - start
    layouts = layouts_of(weights, recipe, before.weights if before else None)
    record = record_of(recipe, prepared, outcome, layouts, seconds, data) | loop.facts(recipe)
    if loop.writes:
        write_results(recipe, prepared, layouts, record, out)
        remove_checkpoints(out)
    loop.wait()
    return record
