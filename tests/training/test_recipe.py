"""The keys of a recipe: bounds, errors, and the page that lists them."""

from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("pydantic")

from konayuki.errors import InputError
from konayuki.training.recipe import Expected, Key, all_keys
from konayuki.training.recipe_file import read_recipe
from recipe_page import page

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "recipes" / "smoke.toml"


@pytest.mark.parametrize("key", [*all_keys()], ids=lambda key: key.name)
def test_every_key_has_a_meaning_and_every_number_bounds(key: Key) -> None:
    assert key.field.description
    types = {key.field.annotation, *get_args(key.field.annotation)[:1]}
    inner = [part for kind in types for part in (kind, *get_args(kind))]
    if {int, float} & {part for part in inner if isinstance(part, type)}:
        assert any(isinstance(part, Expected) for part in (*key.field.metadata, *inner))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.steps=-5", "training.steps is -5: expected a whole number from 0 to 2147483647"),
        ("training.max_grad_norm=-1.0", "training.max_grad_norm is -1.0: expected 0 or more"),
        ("training.seed=-1", "training.seed is -1"),
        ("training.threads=-1", "training.threads is -1: expected a whole number from 0 to 1024"),
        ("training.max_query_tokens=-3", "training.max_query_tokens is -3"),
        ("training.adam_epsilon=-1.0", "training.adam_epsilon is -1.0"),
        ("training.log_steps=0", "training.log_steps is 0: expected a whole number from 1"),
        ("training.learning_rate=nan", "training.learning_rate is nan"),
        ("training.steps=5000000000", "training.steps is 5000000000: .* to 2147483647"),
        ("training.steps=1.0", "training.steps is 1.0: expected a whole number"),
        ("training.bf16=1", "training.bf16 is 1: expected true or false"),
        ("training.schedule='sine'", "training.schedule is 'sine': expected one of 'cosine', "),
        ("model.rarity_power=inf", "model.rarity_power is inf"),
        ("model.dims=[64, 0]", r"model.dims\[1\] is 0: expected a whole number from 1"),
        ("model.dims=64", "model.dims is 64: expected a list, each a whole number"),
        ("loss=3", "loss is 3: expected a table"),
        ("loss.scales=3.0", "unknown key loss.scales: expected one of kind, scale"),
        ("sources=[{files='a'}, {files='b', weight=inf}]", r"sources\[1\].weight is inf"),
        ("sources=[{files='a', columns=[1, 2]}]", r"sources\[0\].columns\[0\] is 1: .* a string"),
        ("sources=[3]", r"sources\[0\] is 3: expected a table"),
        ("sources=[{}]", r"sources\[0\].files is '' and hub is '': expected either"),
        ("development=[{source='a', held_out=0}]", r"development\[0\].held_out is 0"),
        ("development=[{source='a', queries=0}]", r"development\[0\].queries is 0"),
        ("development=[{source='a', corpus=-1}]", r"development\[0\].corpus is -1"),
        ("distillation.sources=[{rows=-1}]", r"distillation.sources\[0\].rows is -1"),
        ("distillation.reranker='r'", "reranker is 'r', but distillation.teacher is '': expected"),
        ("distillation.reranker_candidates=1", "reranker_candidates is 1: .* whole number from 2"),
        ("model.tf_power=1.5", "model.tf_power is 1.5: expected a number from 0 to 1"),
        ("model={start='bundled', tf_power=0.5}", "model.tf_power is 0.5 .*as model.start is"),
        (
            "model={tanh=false, static_embedding=true, half_position=64.0}",
            "model.static_embedding is true: expected model.tf_power = 1",
        ),
        ("model.dims=[63, 31]", "model.dims begins with 63: expected an even number"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_recipe(SMOKE, [change])


def test_the_smaller_dims_may_be_odd_and_whole_numbers_serve_as_floats() -> None:
    recipe = read_recipe(SMOKE, ["model.dims=[64, 31]", "training.learning_rate=1"])
    assert (recipe.model.dims, recipe.training.learning_rate) == ((64, 31), 1.0)


def test_a_recipe_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_recipe(SMOKE).training.steps = 3  # type: ignore[misc]


def test_the_page_of_the_recipe_lists_its_keys() -> None:
    assert (ROOT / "docs/reference/recipe.md").read_text("utf-8") == page(), (
        "renew it: python tools/recipe_page.py > docs/reference/recipe.md"
    )
