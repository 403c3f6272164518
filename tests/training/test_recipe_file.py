from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from konayuki.errors import InputError
from konayuki.training.recipe_file import read_recipe, recipe_from

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def test_the_card_recipe_holds_the_values_of_the_card():
    recipe = read_recipe(RECIPES / "card.toml")

    assert recipe.model.dims == (512, 256, 128, 64, 32)
    assert (recipe.training.batch_size, recipe.training.gradient_accumulation) == (3072, 10)
    assert (recipe.training.learning_rate, recipe.training.adam_epsilon) == (0.1, 1e-10)
    assert (recipe.training.epochs, recipe.training.warmup_ratio) == (2.0, 0.02)
    assert len(recipe.sources) == 14


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"learning_rat": 0.1}}, "unknown key training.learning_rat"),
        ({"training": {"epochs": "two"}}, "training.epochs is 'two'"),
        ({"model": {"dims": [64, 128]}}, "model.dims"),
        (
            {"training": {"warmup_ratio": 2}},
            "training.warmup_ratio is 2: expected a number from 0 to 1",
        ),
        ({"sources": [{"files": "a", "hub": "b"}]}, "expected either of them"),
        ({"training": {"evenness": 0.1}}, "training.evenness is 0.1: expected 0, as model.tanh"),
        ({}, "sources is empty"),
    ],
)
def test_wrong_recipes_name_the_key(values, message):
    with pytest.raises(InputError, match=message):
        recipe_from({"sources": [{"files": "*"}], **values} if values else values)


def test_settings_can_be_changed_from_outside() -> None:
    changes = ["training.steps=7", 'name="mine"', "model.dims=[8, 4]"]
    recipe = read_recipe(RECIPES / "smoke.toml", changes)
    assert (recipe.training.steps, recipe.name, recipe.model.dims) == (7, "mine", (8, 4))
    assert recipe.training.batch_size == read_recipe(RECIPES / "smoke.toml").training.batch_size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.steps", "is not a setting"),
        ("training.steps=many", "is not a setting"),
        ("training.stepz=3", "unknown key training.stepz"),
        ("training.steps=0.5", "expected a whole number"),
    ],
)
def test_a_wrong_change_says_what_is_wrong(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_recipe(RECIPES / "smoke.toml", [change])


def test_a_recipe_like_another_has_its_values_but_its_own() -> None:
    control = read_recipe(RECIPES / "control.toml")
    bundled = read_recipe(RECIPES / "konayuki-ja.toml")
    assert control.model.dims[0] == 1024
    assert control.model.rarity_power == bundled.model.rarity_power
    assert control.sources == bundled.sources
    assert control.distillation == bundled.distillation


@pytest.mark.parametrize(
    ("text", "message"),
    [("like = 3", "like is 3"), ('like = "a.toml"', "a chain of more than 8 like")],
)
def test_a_wrong_like_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_recipe(tmp_path / "a.toml")
