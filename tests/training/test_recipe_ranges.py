"""The numbers of a recipe."""

import dataclasses
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from konayuki.errors import InputError
from konayuki.training.recipe import Recipe
from konayuki.training.recipe_file import read_recipe
from konayuki.training.recipe_ranges import RANGES

SMOKE = Path(__file__).resolve().parents[2] / "recipes" / "smoke.toml"


def sections(kind: type = Recipe) -> list[type]:
    """Return a section of recipes and those inside it."""
    hints = [one for hint in get_type_hints(kind).values() for one in (hint, *get_args(hint))]
    inner = [one for one in hints if dataclasses.is_dataclass(one)]
    return [kind, *(one for section in inner for one in sections(section))]


@pytest.mark.parametrize("kind", sections())
def test_every_number_of_a_recipe_has_a_range(kind: type) -> None:
    numbers = {
        name
        for name, hint in get_type_hints(kind).items()
        if {int, float} & {hint, *get_args(hint)}
    }
    assert numbers == set(RANGES.get(kind, {}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.steps=-5", "training.steps is -5; expected 0 or more"),
        ("training.max_grad_norm=-1.0", "training.max_grad_norm is -1.0; expected 0 or more"),
        ("training.seed=-1", "training.seed is -1"),
        ("training.threads=-1", "training.threads is -1; expected a number from 0 to 1024"),
        ("training.max_query_tokens=-3", "training.max_query_tokens is -3"),
        ("training.adam_beta1=2.0", "training.adam_beta1 is 2.0"),
        ("training.adam_beta2=1.0", "training.adam_beta2 is 1.0; expected .*, but below 1"),
        ("training.adam_epsilon=-1.0", "training.adam_epsilon is -1.0"),
        ("training.log_steps=0", "training.log_steps is 0; expected a number above 0"),
        ("training.learning_rate=nan", "training.learning_rate is nan"),
        ("training.steps=5000000000", "training.steps is 5000000000; .* at most 2147483647"),
        ("model.alpha=inf", "model.alpha is inf"),
        ("loss.dim_weights=[1.0, inf]", r"loss.dim_weights\[1\] is inf"),
        ("sources=[{files='a'}, {files='b', weight=inf}]", r"sources\[1\].weight is inf"),
        ("development=[{source='a', held_out=0}]", r"development\[0\].held_out is 0"),
        ("development=[{source='a', queries=0}]", r"development\[0\].queries is 0"),
        ("development=[{source='a', corpus=-1}]", r"development\[0\].corpus is -1"),
        ("distillation.sources=[{rows=-1}]", r"distillation.sources\[0\].rows is -1"),
        ("model.dims=[63, 31]", "model.dims begins with 63; expected an even number"),
    ],
)
def test_a_number_out_of_range_is_named(change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_recipe(SMOKE, [change])


def test_the_smaller_dims_may_be_odd() -> None:
    assert read_recipe(SMOKE, ["model.dims=[64, 31]"]).model.dims == (64, 31)
