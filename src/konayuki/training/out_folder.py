"""The folder of a run: whose it is, and whether a run may begin or be resumed in it.

`run.json` records what a run is from its first step on: its settings and the store of its pairs. A
finished run has `train.json` in its place. What is resumed is compared with either; a folder that
an older version began has no `run.json` and is taken as it is.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from konayuki.errors import CheckpointError, InputError
from konayuki.files import FileLock, replace_file
from konayuki.training.fused_engine import RUN_FOLDER, run_folder
from konayuki.training.optimisation import CHECKPOINT
from konayuki.training.pair_store import PairStore
from konayuki.training.recipe import Recipe, all_keys
from konayuki.training.results import RECORD
from konayuki.training.start import START_FOLDER

BEGUN = "run.json"
CACHE = "cache"
LOCK = ".lock"
TRAINER_CHECKPOINTS = "checkpoints"  # of runs of tools/trainer
RUNS = "training.runs"


def check_folder(out: Path, data: Path, cache: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else.

    Args:
        out: The folder of the run; it may hold a cache, and a run if that is resumed.
        data: The folder of the training files.
        cache: The folder of the tokenised pairs.
        resume: Whether a run is to be resumed.

    Raises:
        InputError: It is a file, the folder of the data, or holds a run or other files.
    """
    for name, folder in (("--out", out), ("--cache", cache)):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: expected a folder\nhint: another {name}")
    if out.resolve() == data.resolve():
        raise InputError(
            f"{out} is the folder of the data: expected another for the results\n"
            "hint: another --out"
        )
    if started(out):
        if not resume:
            raise InputError(f"{out} holds a run already\nhint: another --out, or --resume")
        return
    if out.is_dir() and not (out / BEGUN).exists():
        names = sorted(path.name for path in out.iterdir())
        foreign = [name for name in names if name != CACHE and not name.startswith(".")]
        if foreign:
            raise InputError(
                f"{out} holds {foreign[0]!r} and no run: expected an empty folder\n"
                "hint: another --out"
            )


def started(out: Path) -> bool:
    """Return whether a folder holds a run with something to resume from."""
    names = (RECORD, CHECKPOINT, TRAINER_CHECKPOINTS, START_FOLDER, run_folder(out, 0).name)
    return any((out / name).exists() for name in names)


@contextmanager
def claimed(out: Path, cache: Path) -> Iterator[None]:
    """Create both folders and keep other runs out of the first while the block runs.

    Raises:
        InputError: Another process trains into it, or it cannot be written to.
    """
    lock = FileLock(
        out / LOCK,
        lambda holder: InputError(
            f"another process is training into {out}: {holder}\n"
            "hint: another --out, or wait for its end"
        ),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise InputError(
            f"{error.filename} cannot be created: {error.strerror}\nhint: another --out or --cache"
        ) from error
    try:
        yield
    finally:
        lock.release()


def finished_record(out: Path, recipe: Recipe) -> dict[str, Any] | None:
    """Return the record of the finished run in a folder, or None if there is none.

    Raises:
        CheckpointError: The record is damaged.
        InputError: It is the record of another recipe.
    """
    record = _read(out / RECORD)
    if record:
        _compare(out, record, recipe, finished=True)
    return record


def check_recipe(out: Path, recipe: Recipe) -> None:
    """Refuse to resume with another recipe than the one that a run began with.

    Raises:
        CheckpointError: `run.json` is damaged.
        InputError: A setting differs; the message names it.
    """
    begun = _read(out / BEGUN)
    if begun and started(out):
        _compare(out, begun, recipe, finished=False)


def begin(out: Path, recipe: Recipe, store: PairStore, *, resume: bool) -> None:
    """Record what a run is, for those who resume it.

    Raises:
        InputError: It is resumed, but its pairs are not those that it began with.
    """
    pairs = store.folder.name if store.folder else ""
    begun = _read(out / BEGUN)
    if resume and begun and started(out) and begun.get("pairs") != pairs:
        raise InputError(
            f"{out} holds a run with other pairs: {begun.get('pairs')}, not {pairs}\n"
            "hint: its files, their times or the tokenizer have changed since; another --out "
            "starts again"
        )
    text = json.dumps({"settings": recipe.as_dict(), "pairs": pairs}, ensure_ascii=False, indent=1)
    replace_file(out / BEGUN, f"{text}\n")


def remove_checkpoints(out: Path) -> None:
    """Remove what a finished run no longer needs."""
    for name in (CHECKPOINT, BEGUN):
        (out / name).unlink(missing_ok=True)
    for folder in [*out.glob(f"{RUN_FOLDER}*"), *out.glob(TRAINER_CHECKPOINTS)]:
        shutil.rmtree(folder)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values["settings"], dict):
            raise TypeError("settings is not a table")
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not the record of a run: {error}") from error
    return values


def _compare(out: Path, before: Mapping[str, Any], recipe: Recipe, *, finished: bool) -> None:
    now = json.loads(json.dumps(recipe.as_dict()))  # lists for tuples, as in the file
    resumable = {key.name for key in all_keys() if key.resumable}
    for key, old, new in differences(before["settings"], now):
        more_runs = key == RUNS and not finished and 1 < old < new
        if key not in resumable and not more_runs:
            state = "a finished run" if finished else "a run"
            raise InputError(
                f"{out} holds {state} with {key} = {old!r}, not {new!r}\n"
                "hint: resume it with the recipe and the --set that it began with, or another --out"
            )


def differences(before: Any, now: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Yield the key, the value before and the value now of each setting that has changed.

    Keys that only one version knows are left out.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before:
            if key in now:
                yield from differences(before[key], now[key], f"{prefix}.{key}".lstrip("."))
    elif _are_tables(before) and _are_tables(now):
        if len(before) != len(now):
            yield f"the number of {prefix}", len(before), len(now)
        for number, (old, new) in enumerate(zip(before, now, strict=False)):
            yield from differences(old, new, f"{prefix}[{number}]")
    elif before != now:
        yield prefix, before, now


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
