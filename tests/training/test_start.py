"""Runs that go on from a trained model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from konayuki import StaticModel
from konayuki.cli import main
from konayuki.errors import InputError
from konayuki.model.weights import is_straight
from konayuki.training.recipe import TrainingSettings
from konayuki.training.recipe_file import read_recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMOKE = RECIPES / "smoke.toml"
Trained = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    """Return what trains the recipe of the tests with some changes, and names its folder."""

    def run(name: str, *changes: str, recipe: Path = SMOKE) -> Path:
        out = folder / name
        options = ["--out", str(out), "--data", str(RECIPES), "--cache", str(folder / "cache")]
        for change in changes:
            options += ["--set", change]
        assert main(["train", str(recipe), *options]) == 0
        return out

    return run


@pytest.fixture(scope="module")
def first(trained: Trained) -> Path:
    return trained("first")


def rows(run: Path) -> "np.ndarray[Any, Any]":
    table: np.ndarray[Any, Any] = load_file(run / "float/model.safetensors")["embedding.weight"]
    return table


def held_out(run: Path) -> float:
    record = json.loads((run / "train.json").read_text("utf-8"))
    return float(record["development"]["float"]["mean_ndcg@10"])


def start_at(run: Path) -> str:
    return f"model.start={str(run / 'float')!r}"


def test_training_goes_on_from_a_folder(trained: Trained, first: Path) -> None:
    again = trained("again", start_at(first), "training.learning_rate=0.002")
    losses = [
        [entry["loss"] for entry in json.loads((run / "train.json").read_text())["history"][:1]]
        for run in (first, again)
    ]
    assert losses[1][0] < losses[0][0] / 2
    assert held_out(again) > held_out(first) - 0.02
    start, end = (StaticModel.load(run / "float").weights for run in (first, again))
    assert not is_straight(end)
    assert np.abs(start.alpha - end.alpha).max() < 0.5  # its tanh goes on too


def test_the_bundled_model_learns_and_keeps_its_pieces(trained: Trained) -> None:
    changes = ("model.start='bundled'", "model.dims=[512, 64]", "training.steps=8")
    changes += ("training.learning_rate=0.02", "training.evaluation_steps=0")
    run = trained("own", *changes)
    bundled, own = StaticModel.load(), StaticModel.load(run / "q4")
    assert own.vocab_size == bundled.vocab_size
    assert is_straight(own.weights)
    record = json.loads((run / "train.json").read_text("utf-8"))
    assert record["settings"]["model"]["start"] == "bundled"
    assert held_out(run) > 0.8  # 30 steps from random rows reach some 0.2
    before = record["development"]["start"]["mean_ndcg@10"]
    assert held_out(run) > before - 0.02
    assert "the model of konayuki" in (run / "SOURCES.tsv").read_text("utf-8")


def test_a_recipe_takes_over_what_it_says_nothing_of(tmp_path: Path) -> None:
    shutil.copy(SMOKE, tmp_path / "one.toml")
    (tmp_path / "two.toml").write_text(
        'name = "two"\n[model]\nstart = "one.toml"\n[loss]\nscale = 15.0\n', "utf-8"
    )
    (tmp_path / "three.toml").write_text('[model]\nstart = "two.toml"\n', "utf-8")
    one, three = read_recipe(tmp_path / "one.toml"), read_recipe(tmp_path / "three.toml")
    assert three.sources == one.sources
    assert three.development == one.development
    assert three.loss.scale == 15.0
    assert three.training == TrainingSettings()
    assert three.name == "unnamed"


def test_other_held_out_tasks_than_those_of_the_start_are_refused(tmp_path: Path) -> None:
    shutil.copy(SMOKE, tmp_path / "one.toml")
    (tmp_path / "two.toml").write_text('[model]\nstart = "one.toml"\n', "utf-8")
    read_recipe(tmp_path / "two.toml", ["training.seed=5"])
    with pytest.raises(InputError, match=r"other \[\[development\]\] than in one"):
        read_recipe(tmp_path / "two.toml", ["development=[{source='pairs', held_out=80}]"])
    own = ["sources=[{files='own.jsonl'}]", "development=[{source='own'}]"]
    read_recipe(tmp_path / "two.toml", own)  # the start never saw these


def test_a_ring_of_recipes_is_refused(tmp_path: Path) -> None:
    for name, start in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.toml").write_text(f'[model]\nstart = "{start}.toml"\n', "utf-8")
    with pytest.raises(InputError, match="or a ring"):
        read_recipe(tmp_path / "one.toml")


def test_own_pairs_join_what_the_bundled_model_knows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(RECIPES / "smoke"), "--out", str(folder / "own-pairs")]
    assert main(["train", str(RECIPES / "own-pairs.toml"), *options]) == 0
    shown = capsys.readouterr()
    assert "before 50% of the start is mixed in)" in shown.err
    for row in ("before training", "after it, float rows", "after it, 4-bit rows"):
        assert row in shown.out
    assert StaticModel.load(folder / "own-pairs/q4").dim == 512
    record = json.loads((folder / "own-pairs/train.json").read_text("utf-8"))
    start, exact, packed = (
        record["development"][name]["mean_ndcg@10"] for name in ("start", "float", "q4")
    )
    assert packed > start + 0.02  # the gain is not rounded away
    assert packed == pytest.approx(exact, abs=0.01)


def test_a_start_with_the_whole_share_comes_back(trained: Trained, first: Path) -> None:
    run = trained("kept", start_at(first), "training.start_share=1.0", "training.steps=3")
    np.testing.assert_array_equal(rows(run), rows(first))


@pytest.mark.slow
def test_a_start_has_its_share_in_the_mean(trained: Trained, first: Path) -> None:
    few = (start_at(first), "training.steps=3", "training.runs=2")
    whole = rows(trained("whole", *few))
    half = rows(trained("half", *few, "training.start_share=0.5"))
    np.testing.assert_allclose(half, (whole + rows(first)) / 2, rtol=1e-4, atol=1e-5)


def test_fewer_dimensions_are_cut_and_more_are_refused(
    trained: Trained, first: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = ("training.learning_rate=1e-9", "training.steps=1")
    narrow = trained("narrow", start_at(first), "model.dims=[16]", *rate)
    np.testing.assert_allclose(rows(narrow), rows(first)[:, :16], atol=1e-5)
    options = ["--out", str(folder / "wide"), "--cache", str(folder / "cache")]
    options += ["--set", start_at(first), "--set", "model.dims=[128]"]
    assert main(["train", str(SMOKE), *options]) == 2
    assert "model.dims begins with 128: expected at most 64" in capsys.readouterr().err


def test_a_tanh_is_not_lost_in_a_static_embedding(
    first: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(folder / "static"), "--cache", str(folder / "cache")]
    options += ["--set", start_at(first), "--set", "model.static_embedding=true"]
    assert main(["train", str(SMOKE), *options, "--set", "model.tanh=false"]) == 2
    assert "has a tanh, which a StaticEmbedding cannot keep" in capsys.readouterr().err


@pytest.mark.slow
def test_a_recipe_is_trained_before_the_one_that_starts_from_it(
    trained: Trained, first: Path
) -> None:
    text = SMOKE.read_text("utf-8").replace("[model]", '[model]\nstart = "smoke.toml"', 1)
    second = first.parent / "second.toml"
    second.write_text(text, "utf-8")
    shutil.copy(SMOKE, first.parent)
    chained = trained("chained", recipe=second)
    np.testing.assert_array_equal(rows(chained / "start"), rows(first))
    np.testing.assert_array_equal(rows(chained), rows(trained("by-folder", start_at(first))))
    seconds = [
        json.loads((run / "train.json").read_text())["wall_s"]
        for run in (chained, chained / "start")
    ]
    assert seconds[0] > seconds[1] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.start='nowhere'"], "expected a folder"),
        (["model.start='bundled'", "model.rarity_power=1.5"], "model.rarity_power is 1.5"),
        (["model.start='bundled'", "model.piece_vectors='teacher'"], "leave the key out"),
        (["training.start_share=0.5"], "there is no model.start"),
        (["model.start='bundled'", "training.start_share=2.0"], "expected a number from 0 to 1"),
    ],
)
def test_a_start_that_cannot_be_is_refused(
    changes: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for change in changes for part in ("--set", change)]
    assert main(["train", str(SMOKE), "--out", str(tmp_path / "out"), *options]) > 0
    assert message in capsys.readouterr().err
