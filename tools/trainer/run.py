"""A run of a recipe with the Trainer: the folder of its results is that of `konayuki train`."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from konayuki.errors import InputError
from konayuki.training.finish import layouts_of, turn_to_neighbours
from konayuki.training.job import Job
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
from konayuki.training.recipe import Recipe, all_keys
from konayuki.training.results import record_of, write_results
from konayuki.training.start import Run, list_runs, read_start
from trainer.engine import train_with_trainer
from trainer.processes import is_main_process, main_process_first, n_processes, wait_for_all

# What the Trainer does not do; these keys must keep their defaults.
UNKNOWN = ("source_batches", "token_dropout", "quantized_share", "runs", "start_share")


def check_recipe_for_trainer(recipe: Recipe) -> None:
    """Refuse a recipe that the Trainer cannot follow, before any data is read.

    Raises:
        InputError: Names the key.
    """
    for key in all_keys():
        table, _, name = key.name.rpartition(".")
        if (table == "training" and name in UNKNOWN) or table == "distillation":
            value = reduce(getattr, key.name.split("."), recipe)
            if value != key.field.default:
                raise InputError(
                    f"{key.name} is {value!r}: expected nothing, as the Trainer does not know it\n"
                    "hint: leave the key out, or use konayuki train"
                )
    longest = recipe.training.max_query_tokens, recipe.training.max_passage_tokens
    if len(set(longest)) > 1:
        raise InputError(
            "training.max_query_tokens and training.max_passage_tokens are "
            f"{longest[0]} and {longest[1]}: expected one number, "
            "as the Trainer cuts both sides alike"
        )


def train(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    cache: Path | None = None,
    changes: Sequence[str] = (),
    workers: int = 0,
    resume: bool = False,
    show_progress: bool = True,
) -> dict[str, Any]:
    """Train the model of a recipe; return the record that is also written as `train.json`.

    Under `torchrun` every process calls this; the first one writes. Arguments and errors are those
    of `konayuki.training.run.train`; `workers` are processes that tokenise.
    """
    *earlier, last = runs = list_runs(recipe_path, out, changes)
    for run in runs:
        check_recipe_for_trainer(run.recipe)
    cache = cache or out / CACHE
    if is_main_process():  # the others must not find what the first one has just begun
        check_folder(out, data, cache, resume=resume)
    if record := finished_record(out, last.recipe):
        return record
    if resume:
        check_recipe(out, last.recipe)
    seconds = 0.0
    with ExitStack() as locks:
        if is_main_process():
            locks.enter_context(claimed(out, cache))
        for run in runs:
            wait_for_all()  # before one makes the folder that tells others of a begun run
            again = resume or run in earlier
            record = finished_record(run.out, run.recipe) if again else None
            if record is None:
                if again:
                    check_recipe(run.out, run.recipe)
                run.out.mkdir(parents=True, exist_ok=True)
                job = _prepared_job(run, data, cache, again, show_progress)
                record = _train_one(job, data, workers, seconds)
            seconds = record["wall_s"]
    return record


def _prepared_job(run: Run, data: Path, cache: Path, resume: bool, show_progress: bool) -> Job:
    before = read_start(run)
    with main_process_first():
        torch.manual_seed(run.recipe.training.seed)
        torch.set_num_threads(run.recipe.training.threads or torch.get_num_threads())
        prepared = prepare(run.recipe, data, cache, run.path.parent, before)
        network = network_of(prepared, run.recipe, data, cache)
    if is_main_process():
        begin(run.out, run.recipe, prepared.store, resume=resume)
    return Job(run.recipe, prepared, network, run.out, resume, show_progress)


def _train_one(job: Job, data: Path, workers: int, seconds: float) -> dict[str, Any]:
    recipe, prepared = job.recipe, job.prepared
    start = time.perf_counter()
    outcome = train_with_trainer(job, workers=workers)
    weights = turn_to_neighbours(outcome.weights, recipe.training.neighbour_share)
    seconds += time.perf_counter() - start
    layouts = layouts_of(weights, recipe, prepared.start.weights if prepared.start else None)
    record = record_of(recipe, prepared, outcome, layouts, seconds, data) | {
        "trainer": "sentence-transformers",
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "precision": "bfloat16" if recipe.training.bf16 else "float32",
        "processes": n_processes(),
    }
    if is_main_process():
        write_results(recipe, prepared, layouts, record, job.out)
        remove_checkpoints(job.out)
    wait_for_all()
    return record
