"""The folder of a run: whose it is, and whether a run may begin or go on in it.

`run.json` says what a run is from its first step on: its settings and the store of its pairs. A
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
from konayuki.training.engines import STOCK_CHECKPOINTS, is_main_process
from konayuki.training.fused_engine import RUN_FOLDER, run_folder
from konayuki.training.optimisation import CHECKPOINT
from konayuki.training.pair_store import PairStore
from konayuki.training.recipe import Recipe
from konayuki.training.results import RECORD
from konayuki.training.start import START_FOLDER

BEGUN = "run.json"
CACHE = "cache"
LOCK = ".lock"
# Settings that change nothing in the model, or so little that a run may go on with others.
FREE = {"threads", "log_steps", "evaluation_steps", "checkpoint_steps"}
FREE_KEYS = {f"training.{name}" for name in FREE}
RUNS = "training.runs"


def check_folder(out: Path, data: Path, cache: Path, *, resume: bool) -> None:
    """Refuse a folder that something else lies in.

    Args:
        out: of the run; it may hold a run where that is resumed, and a cache.
        data: of the training files.
        cache: of the tokenised pairs.
        resume: whether a run is to go on.

    Raises:
        InputError: it is no folder, that of the data, or holds a run or other files.
    """
    for name, folder in (("--out", out), ("--cache", cache)):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; expected a folder\nhint: another {name}")
    if out.resolve() == data.resolve():
        raise InputError(
            f"{out} is the folder of the data; results go beside it\nhint: another --out"
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
                f"{out} holds {foreign[0]!r} and no run; expected an empty folder\n"
                "hint: another --out"
            )


def started(out: Path) -> bool:
    """Say whether a folder holds a run with something to go on from."""
    known = (RECORD, CHECKPOINT, STOCK_CHECKPOINTS, START_FOLDER, run_folder(out, 0).name)
    return any((out / name).exists() for name in known)


@contextmanager
def claimed(out: Path, cache: Path) -> Iterator[None]:
    """Make both folders and keep other runs out of the first while the block runs.

    Raises:
        InputError: another process trains into it, or it cannot be written to.
    """
    if not is_main_process():
        yield
        return
    lock = FileLock(out / LOCK, lambda holder: _locked(out, holder))
    try:
        out.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise InputError(
            f"{error.filename} cannot be made: {error.strerror}\nhint: another --out or --cache"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _locked(out: Path, holder: str) -> InputError:
    return InputError(
        f"another process is training into {out}: {holder}\n"
        "hint: another --out, or wait for its end"
    )


def finished_record(out: Path, recipe: Recipe) -> dict[str, Any] | None:
    """Return the record of the finished run in a folder, or None where there is none.

    Raises:
        CheckpointError: the record is damaged.
        InputError: it is that of another recipe.
    """
    record = _read(out / RECORD)
    if record:
        _compare(out, record, recipe, finished=True)
    return record


def check_recipe(out: Path, recipe: Recipe) -> None:
    """Refuse to go on with another recipe than the one that a run began with.

    Raises:
        CheckpointError: `run.json` is damaged.
        InputError: a setting differs; the message names it.
    """
    begun = _read(out / BEGUN)
    if begun and started(out):
        _compare(out, begun, recipe, finished=False)


def begin(out: Path, recipe: Recipe, store: PairStore, *, resume: bool) -> None:
    """Keep what a run is, for those who resume it.

    Raises:
        InputError: it goes on, but its pairs are not those that it began with.
    """
    pairs = store.folder.name if store.folder else ""
    begun = _read(out / BEGUN)
    if resume and begun and started(out) and begun.get("pairs") != pairs:
        raise InputError(
            f"{out} holds a run with other pairs: {begun.get('pairs')}, not {pairs}\n"
            "hint: its files, their times or the tokenizer have changed since; another --out "
            "starts anew"
        )
    text = json.dumps({"settings": recipe.as_dict(), "pairs": pairs}, ensure_ascii=False, indent=1)
    replace_file(out / BEGUN, f"{text}\n".encode())


def remove_checkpoints(out: Path) -> None:
    """Remove what a finished run does not need any more."""
    for name in (CHECKPOINT, BEGUN):
        (out / name).unlink(missing_ok=True)
    for folder in [*out.glob(f"{RUN_FOLDER}*"), *out.glob(STOCK_CHECKPOINTS)]:
        shutil.rmtree(folder)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values["settings"], dict):
            raise TypeError("settings is no table")
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not the record of a run: {error}") from error
    return values


def _compare(out: Path, kept: Mapping[str, Any], recipe: Recipe, *, finished: bool) -> None:
    now = json.loads(json.dumps(recipe.as_dict()))  # lists for tuples, as in the file
    for key, before, after in differences(kept["settings"], now):
        more_runs = key == RUNS and not finished and 1 < before < after
        if key not in FREE_KEYS and not more_runs:
            state = "a finished run" if finished else "a run"
            raise InputError(
                f"{out} holds {state} with {key} = {before!r}, not {after!r}\n"
                "hint: resume it with the recipe and the --set that it began with, or another --out"
            )


def differences(kept: Any, now: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Yield the key, the value then and the value now of each setting that has changed.

    Keys that one of both versions does not know are left out.
    """
    if isinstance(kept, dict) and isinstance(now, dict):
        for key in kept:
            if key in now:
                yield from differences(kept[key], now[key], f"{place}.{key}".lstrip("."))
    elif _tables(kept) and _tables(now):
        if len(kept) != len(now):
            yield f"the number of {place}", len(kept), len(now)
        for number, (before, after) in enumerate(zip(kept, now, strict=False)):
            yield from differences(before, after, f"{place}[{number}]")
    elif kept != now:
        yield place, kept, now


def _tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
