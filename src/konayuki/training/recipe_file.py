"""Recipes are read from TOML and checked.

An unknown key, a wrong type or a value out of range is an error that names the key. A recipe that
starts from another one takes over that one's sources, held-out tasks, loss and distillation, each
unless it gives its own.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.training.recipe import (
    ENGINES,
    DistillationSettings,
    Recipe,
    SourceSettings,
)
from konayuki.training.recipe_ranges import check_ranges

Section = TypeVar("Section")

SCHEDULES = ("cosine", "linear", "constant")
SAMPLERS = ("no_duplicates", "plain")
RECIPE_SUFFIX = ".toml"
INHERITED = ("decontaminate", "loss", "distillation", "sources", "development")  # by a start
LONGEST_CHAIN = 8


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a TOML file.

    Args:
        path: the file.
        changes: settings that replace those of the file, as in `training.steps=400`.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is not TOML, or a key or value is wrong; the message names it.
    """
    values = _with_inherited(path)
    for change in changes:
        _change(values, change)
    _check_held_out(values, path)
    try:
        return recipe_from(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _with_inherited(path: Path, depth: int = 0) -> dict[str, Any]:
    """Return the values of a recipe; what it says nothing of is that of the one it starts from."""
    values = read_toml(path)
    start = _start_of(values)
    if start:
        if depth == LONGEST_CHAIN:
            raise InputError(f"{path}: a chain of more than {LONGEST_CHAIN} model.start, or a ring")
        before = _with_inherited(path.parent / start, depth + 1)
        values = {key: before[key] for key in INHERITED if key in before} | values
    return values


def _check_held_out(values: Mapping[str, Any], path: Path) -> None:
    """Refuse other held-out tasks than those of the start, which learned what these hold out."""
    start = _start_of(values)
    before = _with_inherited(path.parent / start) if start else {}
    same_data = before.get("sources") == values.get("sources")
    if before and same_data and before.get("development") != values.get("development"):
        raise InputError(
            f"{path}: other [[development]] than in {start}, which is trained first on what these "
            "would hold out\nhint: leave [[development]] out, or change it in that recipe"
        )


def _start_of(values: Mapping[str, Any]) -> str:
    """Return the recipe that `model.start` names, or nothing."""
    model = values.get("model")
    start = model.get("start") if isinstance(model, Mapping) else None
    return start if isinstance(start, str) and start.endswith(RECIPE_SUFFIX) else ""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file, of a recipe of any kind.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is not TOML.
    """
    if not path.is_file():
        raise NotFoundError(f"no recipe at {path}")
    toml = _toml()
    try:
        values: dict[str, Any] = toml.loads(path.read_text(encoding="utf-8"))
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    return values


def _toml() -> Any:  # noqa: ANN401 - a module
    return require("tomllib" if sys.version_info >= (3, 11) else "tomli", "train")


def _change(values: dict[str, Any], change: str) -> None:
    """Set one value of a recipe: `table.key=value`, the value in TOML."""
    toml = _toml()
    hint = "hint: as in --set training.steps=400 or --set 'name=\"mine\"'"
    try:
        given = toml.loads(change)
    except toml.TOMLDecodeError as error:
        raise InputError(f"{change!r} is no setting: {error}\n{hint}") from error
    _merge(values, given)


def _merge(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain values describe.

    Raises:
        InputError: a key or a value is wrong; the message names it.
    """
    recipe = _section(Recipe, values, "")
    _check(recipe)
    return recipe


def _section(kind: type[Section], values: Mapping[str, Any], place: str) -> Section:
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        known = ", ".join(sorted(hints))
        raise InputError(f"unknown key {place}{unknown[0]}\nhint: the keys here are {known}")
    made = {key: _value(hints[key], value, place + key) for key, value in values.items()}
    return kind(**made)


def _value(hint: Any, value: Any, place: str) -> Any:  # noqa: ANN401 - checked here
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(f"{place} is {value!r}; expected a table")
        return _section(cast("type[Any]", hint), value, f"{place}.")
    if get_origin(hint) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InputError(f"{place} is {value!r}; expected a list")
        item = get_args(hint)[0]
        return tuple(_value(item, one, f"{place}[{n}]") for n, one in enumerate(value))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{place} is {value!r}; expected a value of type {hint.__name__}")
    return value


def _check(recipe: Recipe) -> None:
    model, loss, training = recipe.model, recipe.loss, recipe.training
    dims = model.dims
    _require(
        bool(dims) and list(dims) == sorted(set(dims), reverse=True) and dims[-1] > 0,
        f"model.dims is {list(dims)}; expected different positive numbers, the largest first",
    )
    _require(
        dims[0] % 2 == 0,
        f"model.dims begins with {dims[0]}; expected an even number\n"
        "hint: a byte of the 4-bit rows holds two dimensions; the smaller dims may be odd",
    )
    _require(
        len(loss.dim_weights) in (0, len(dims)) and min(loss.dim_weights, default=1) > 0,
        f"loss.dim_weights is {list(loss.dim_weights)}; expected a number above 0 for each of the "
        f"{len(dims)} dims",
    )
    _require(
        not (model.tanh and model.static_embedding),
        "model.static_embedding is true and so is model.tanh; a StaticEmbedding has no tanh",
    )
    check_ranges(recipe)
    _check_start(recipe)
    _one_of("training.engine", training.engine, ENGINES)
    _check_distillation(recipe.distillation)
    _one_of("training.schedule", training.schedule, SCHEDULES)
    _one_of("training.batch_sampler", training.batch_sampler, SAMPLERS)
    _require(bool(recipe.sources), "sources is empty; expected at least one [[sources]] table")
    for place, task in enumerate(recipe.development):
        _require(
            task.source not in [one.source for one in recipe.development[:place]],
            f"development[{place}].source is {task.source!r}, as of a table before it; expected "
            "one [[development]] for each source\nhint: raise held_out and queries of the first",
        )
    for place, source in enumerate(recipe.sources):
        _check_source(f"sources[{place}]", source)


def _check_start(recipe: Recipe) -> None:
    model = recipe.model
    for name, given in (
        ("tokenizer", model.tokenizer),
        ("piece_vectors", model.piece_vectors),
        ("rarity_power", model.rarity_power),
    ):
        _require(
            not (model.start and given),
            f"model.{name} is {given!r}, but model.start is {model.start!r}\n"
            "hint: tokenizer and rows are those of the start; leave the key out",
        )
    share = recipe.training.start_share
    _require(
        bool(model.start) or not share,
        f"training.start_share is {share}, but there is no model.start",
    )


def _check_distillation(settings: DistillationSettings) -> None:
    _one_of("distillation.teacher", settings.teacher, ("", "teacher"))
    _one_of("distillation.second_teacher", settings.second_teacher, ("", "use"))


def _check_source(place: str, source: SourceSettings) -> None:
    _require(bool(source.files) != bool(source.hub), f"{place} needs either files or hub")
    _require(
        len(source.columns) in (0, 2, 3),
        f"{place}.columns is {list(source.columns)}; expected query, passage, perhaps a negative",
    )


def _one_of(place: str, value: str, known: Sequence[str]) -> None:
    _require(value in known, f"{place} is {value!r}; expected one of {', '.join(map(repr, known))}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InputError(message)
