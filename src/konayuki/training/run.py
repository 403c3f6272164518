"""A training run: recipe in, model folders and the record of the run out."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from konayuki.errors import InputError
from konayuki.training.engines import (
    FUSED,
    Outcome,
    check_engine,
    is_main_process,
    main_process_first,
    wait_for_all,
)
from konayuki.training.fused_engine import train_fused
from konayuki.training.neighbours import leaning_on_neighbours
from konayuki.training.network import TrainedSSE
from konayuki.training.out_folder import (
    CACHE,
    begin,
    check_folder,
    check_recipe,
    claimed,
    finished_record,
    remove_checkpoints,
)
from konayuki.training.preparation import Prepared, network_of, prepare
from konayuki.training.recipe import Recipe
from konayuki.training.recipe_file import read_recipe
from konayuki.training.results import (
    LAYOUTS,
    layouts_of,
    record_of,
    write_results,
)
from konayuki.training.start import START_FOLDER, read_start


class Engine(Protocol):
    """Trains a network in place."""

    def __call__(
        self,
        recipe: Recipe,
        prepared: Prepared,
        network: TrainedSSE,
        out: Path,
        *,
        resume: bool,
        show_progress: bool,
    ) -> Outcome:
        """Return what came of it; checkpoints lie in `out`."""
        ...


def train(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    cache: Path | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    show_progress: bool = True,
) -> dict[str, Any]:
    """Train the model of a recipe; return the record that is also written as `train.json`.

    `out/float` and `out/q4` are model folders in the two layouts, each with its card; `SOURCES.tsv`
    lists what the model was trained on; `loss.png` and `ndcg.png` show the run. Under `torchrun`
    every process calls this; the first one writes.

    Args:
        recipe_path: a TOML recipe.
        data: the folder from which the recipe names its files.
        out: made where it is not there; it must be empty, but for `out/cache`, unless the run is
            resumed.
        cache: keeps tokenised pairs for other runs; `out/cache` unless given.
        changes: settings that replace those of the recipe, as in `training.steps=400`.
        resume: go on from the last checkpoint in `out`, with the same recipe; a finished run is
            left as it is.
        show_progress: bars (lines, where there is no terminal) and held-out scores on stderr.

    Raises:
        InputError: the recipe is wrong or not that of the run to resume, `out` holds a run that
            is not resumed or other files, or another process trains into it.
        NotFoundError: the recipe or its data is not there.
    """
    recipe = read_recipe(recipe_path, changes)
    check_engine(recipe)
    cache = cache or out / CACHE
    if is_main_process():  # the others must not find what the first one has just begun
        check_folder(out, data, cache, resume=resume)
    if finished := finished_record(out, recipe):  # there is nothing to go on with
        return finished
    if resume:
        check_recipe(out, recipe)
    with claimed(out, cache):
        return _trained(recipe, recipe_path, data, out, cache, resume, show_progress)


def _trained(
    recipe: Recipe,
    recipe_path: Path,
    data: Path,
    out: Path,
    cache: Path,
    resume: bool,
    show_progress: bool,
) -> dict[str, Any]:
    first = partial(_trained_first, data, out, cache, show_progress)
    before = read_start(recipe.model, recipe_path.parent, first)  # all processes train it together
    with main_process_first():
        torch.manual_seed(recipe.training.seed)
        torch.set_num_threads(recipe.training.threads or torch.get_num_threads())
        prepared = prepare(recipe, data, cache, recipe_path.parent, before)
        network = network_of(prepared, recipe, data, cache)
    if is_main_process():
        begin(out, recipe, prepared.store, resume=resume)
    start = time.perf_counter()
    outcome = _engine(recipe)(
        recipe, prepared, network, out, resume=resume, show_progress=show_progress
    )
    weights = leaning_on_neighbours(outcome.weights, recipe.training.neighbour_share)
    seconds = outcome.earlier_seconds + time.perf_counter() - start
    seconds += before.seconds if before else 0.0
    layouts = layouts_of(weights, recipe, before)
    record = record_of(recipe, prepared, outcome, layouts, seconds, data)
    if is_main_process():
        write_results(recipe, prepared, layouts, record, out)
        remove_checkpoints(out)
    wait_for_all()
    return record


def _trained_first(
    data: Path, out: Path, cache: Path, show_progress: bool, start: Path
) -> tuple[Path, float]:
    """Train the recipe that another one starts from, unless it is finished.

    Returns the folder of its model with float rows, and the seconds that it took.

    Raises:
        InputError: its engine cannot do what the recipe asks for; the message names it.
    """
    folder = out / START_FOLDER
    try:
        check_engine(read_recipe(start))
    except InputError as error:
        raise InputError(f"{start}: {error}") from None
    wait_for_all()  # before one makes the folder that tells others of a run that has begun
    record = train(start, data, folder, cache=cache, resume=True, show_progress=show_progress)
    return folder / LAYOUTS[0], record["wall_s"]


def _engine(recipe: Recipe) -> Engine:
    if recipe.training.engine == FUSED:
        return train_fused
    from konayuki.training.trainer_engine import train_with_trainer

    return train_with_trainer
