"""A training run: recipe in, model folders and the record of the run out."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from konayuki.errors import InputError
from konayuki.model import StaticModel
from konayuki.model.weights import Weights
from konayuki.progress import track
from konayuki.training.development import score_tasks
from konayuki.training.optimisation import CHECKPOINT, Optimisation
from konayuki.training.preparation import Prepared, network_of, prepare
from konayuki.training.recipe import Recipe, read_recipe

RECORD = "train.json"
SOURCES = "SOURCES.tsv"
CACHE = "cache"
LAYOUTS = ("float", "q4")


def train(
    recipe_path: Path,
    data: Path,
    out: Path,
    *,
    cache: Path | None = None,
    resume: bool = False,
    show_progress: bool = True,
) -> dict[str, Any]:
    """Train the model of a recipe; return the record that is also written as `train.json`.

    `out/float` and `out/q4` are model folders in the two layouts; `SOURCES.tsv` lists what the
    model was trained on.

    Args:
        recipe_path: a TOML recipe.
        data: the folder from which the recipe names its files.
        out: made where it is not there; it must be empty unless the run is resumed.
        cache: keeps tokenised pairs for other runs; `out/cache` unless given.
        resume: go on from the last checkpoint in `out`; a finished run is left as it is.
        show_progress: bars on stderr, where that is a terminal.

    Raises:
        InputError: the recipe is wrong, or `out` holds a run that is not resumed.
        NotFoundError: the recipe or its data is not there.
    """
    recipe = read_recipe(recipe_path)
    cache = cache or out / CACHE
    record_path = out / RECORD
    if not resume and (record_path.exists() or (out / CHECKPOINT).exists()):
        raise InputError(f"{out} holds a run already\nhint: another --out, or --resume")
    if record_path.exists():  # finished: there is nothing to go on with
        finished: dict[str, Any] = json.loads(record_path.read_text(encoding="utf-8"))
        return finished
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.training.seed)
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    prepared = prepare(recipe, data, cache, recipe_path.parent)
    run = Optimisation(
        network_of(prepared, recipe, data, cache), prepared.store, prepared.rows, recipe
    )
    if resume:
        run.resume(out)
    start = time.perf_counter()
    _optimise(run, recipe, prepared, out, show_progress)
    record = _record(run, recipe, prepared, time.perf_counter() - start)
    _write(run.network.weights(), prepared, record, out)
    return record


def _optimise(
    run: Optimisation, recipe: Recipe, prepared: Prepared, out: Path, show_progress: bool
) -> None:
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
        if due or step == run.n_steps:
            weights, dims = run.network.weights(), recipe.model.dims[:1]
            scores = score_tasks(weights, prepared.store, prepared.tasks, dims)
            history.append({"step": step, **_named(scores)})
        if settings.checkpoint_steps and step % settings.checkpoint_steps == 0:
            run.save(out)


def _named(scores: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_ndcg@10": round(value, 4) for name, value in scores.items()}


def _record(run: Optimisation, recipe: Recipe, prepared: Prepared, wall_s: float) -> dict[str, Any]:
    """Return what the run was and what it came to."""
    weights = run.network.weights()
    packed = Weights(weights.packed_table(), weights.alpha, weights.beta, weights.bias)
    store, tasks = prepared.store, prepared.tasks
    return {
        "name": recipe.name,
        "settings": recipe.as_dict(),
        "n_pairs": len(prepared.rows),
        "n_steps": run.n_steps,
        "wall_s": round(wall_s, 1),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "development": {
            "float": _named(score_tasks(weights, store, tasks, recipe.model.dims)),
            "q4": _named(score_tasks(packed, store, tasks, recipe.model.dims)),
        },
        "decontamination": list(store.dropped),
        "history": run.progress.history,
    }


def _write(weights: Weights, prepared: Prepared, record: Mapping[str, Any], out: Path) -> None:
    """Write both layouts, the sources, and last the record: a folder with it is complete."""
    model = StaticModel(weights, prepared.tokenizer_json)
    for layout in LAYOUTS:
        model.save(out / layout, layout)
    lines = ["file\trows\tsource\tlicence"]
    lines += [
        f"{one.name}\t{len(one)}\t{one.origin}\t{one.licence}" for one in prepared.store.stretches
    ]
    (out / SOURCES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (out / RECORD).write_text(text, encoding="utf-8")
    (out / CHECKPOINT).unlink(missing_ok=True)
