"""Recipes are read from TOML; what is wrong with one is an error that names the key.

A recipe that starts from another recipe inherits its sources, held-out tasks, loss, distillation
and decontamination, each unless it sets its own. One that is `like` another recipe has all of its
values but those that it sets, and a list that it sets replaces the whole list.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.training.recipe import Recipe, expected_of, section_of

RECIPE_SUFFIX = ".toml"
INHERITED = ("decontaminate", "loss", "distillation", "sources", "development")
LONGEST_CHAIN = 8


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a TOML file.

    Args:
        path: The file.
        changes: Settings that replace those of the file, as in `training.steps=400`.

    Raises:
        NotFoundError: The file does not exist.
        InputError: It is not TOML, or a key or value is wrong; the message names it.
    """
    values = _with_inherited(path)
    for change in changes:
        _merge(values, _parse_change(change))
    _check_held_out(values, path)
    try:
        return recipe_from(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _with_inherited(path: Path, depth: int = 0) -> dict[str, Any]:
    """Return the values of a recipe, with those that it inherits from the one it starts from."""
    values = read_toml(path)
    like, start = values.pop("like", ""), recipe_of_start(values)
    if (like or start) and depth == LONGEST_CHAIN:
        raise InputError(
            f"{path}: a chain of more than {LONGEST_CHAIN} like or model.start, or a ring"
        )
    if like:
        if not isinstance(like, str):
            raise InputError(f"{path}: like is {like!r}: expected the file of a recipe")
        own, values = values, _with_inherited(path.parent / like, depth + 1)
        _merge(values, own)
        start = recipe_of_start(values)
    if start:
        before = _with_inherited(path.parent / start, depth + 1)
        values = {key: before[key] for key in INHERITED if key in before} | values
    return values


def _check_held_out(values: Mapping[str, Any], path: Path) -> None:
    """Refuse other held-out tasks than those of the start, which learned what these hold out."""
    start = recipe_of_start(values)
    before = _with_inherited(path.parent / start) if start else {}
    same_data = before.get("sources") == values.get("sources")
    if before and same_data and before.get("development") != values.get("development"):
        raise InputError(
            f"{path}: other [[development]] than in {start}, which is trained first on what these "
            "would hold out\nhint: leave [[development]] out, or change it in that recipe"
        )


def recipe_of_start(values: Mapping[str, Any]) -> str:
    """Return the recipe that `model.start` names, or "" if it names none."""
    model = values.get("model")
    start = model.get("start") if isinstance(model, Mapping) else None
    return start if isinstance(start, str) and start.endswith(RECIPE_SUFFIX) else ""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file, of a recipe of any kind.

    Raises:
        NotFoundError: The file does not exist.
        InputError: It is not TOML.
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


def _parse_change(change: str) -> dict[str, Any]:
    """Return the values of `table.key=value`, the value in TOML."""
    toml = _toml()
    try:
        values: dict[str, Any] = toml.loads(change)
    except toml.TOMLDecodeError as error:
        raise InputError(
            f"{change!r} is not a setting: {error}: expected KEY=VALUE\n"
            "hint: as in --set training.steps=400 or --set 'name=\"mine\"'"
        ) from error
    return values


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain values describe.

    Raises:
        InputError: A key or a value is wrong; the message names it.
    """
    try:
        return Recipe.model_validate(_with_tuples(values))
    except ValidationError as error:
        raise _translated(error) from None


def _with_tuples(value: Any) -> Any:  # noqa: ANN401 - plain values of any kind
    """Return values with tuples for lists: a frozen recipe holds tuples, and types are exact."""
    if isinstance(value, Mapping):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


def _translated(error: ValidationError) -> InputError:
    """Return the first fault as our error: the key, its value, what was expected."""
    fault = error.errors(include_url=False)[0]
    if isinstance(ours := fault.get("ctx", {}).get("error"), InputError):
        return ours  # a relation between keys, from a validator of the recipe
    *tables, last = (part for part in fault["loc"] if isinstance(part, str))
    section: Any = Recipe
    for table in tables:
        section = section_of(section.model_fields[table].annotation)
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    name = "".join(parts).removeprefix(".")  # as in development[0].queries
    if fault["type"] == "extra_forbidden":
        known = ", ".join(sorted(section.model_fields))
        return InputError(f"unknown key {name}: expected one of {known}")
    value = list(fault["input"]) if isinstance(fault["input"], tuple) else fault["input"]
    wanted = expected_of(section.model_fields[last], item=isinstance(fault["loc"][-1], int))
    return InputError(f"{name} is {value!r}: expected {wanted}")
