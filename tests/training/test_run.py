"""`konayuki train` on the data of the repository."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")
sentence_transformers = pytest.importorskip("sentence_transformers")

import konayuki  # noqa: E402 - torch is optional
from konayuki import StaticModel  # noqa: E402
from konayuki.cli import main  # noqa: E402
from konayuki.errors import InputError  # noqa: E402
from konayuki.evaluation import Passage, RetrievalSet, read_sets  # noqa: E402
from konayuki.model.packed import FloatTable, quantize  # noqa: E402
from konayuki.model.tokenizer import build_tokenizer  # noqa: E402
from konayuki.model.weights import Weights, straight_tanh  # noqa: E402
from konayuki.training.development import mean_ndcg, score_tasks  # noqa: E402
from konayuki.training.finish import (  # noqa: E402
    layouts_of,
    learned_on_the_grid,
    turn_to_neighbours,
)
from konayuki.training.optimisation import CHECKPOINT, Optimisation, rate  # noqa: E402
from konayuki.training.preparation import network_of, prepare  # noqa: E402
from konayuki.training.recipe import Recipe, TrainingSettings  # noqa: E402
from konayuki.training.recipe_file import read_recipe, recipe_from  # noqa: E402
from konayuki.training.results import write_held_out  # noqa: E402
from konayuki.training.run import train  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMOKE = RECIPES / "smoke.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "smoke"
    assert main(["train", str(SMOKE), "--out", str(out)]) == 0
    return out


def untrained(run: Path, recipe: Recipe) -> float:
    """Return the held-out score of a recipe's network before its first step."""
    prepared = prepare(recipe, RECIPES, run / "cache", RECIPES)
    network = network_of(prepared, recipe, RECIPES, run / "cache")
    dims = recipe.model.dims[:1]
    return score_tasks(network.weights(), prepared.store, prepared.tasks, dims)["mean"]


def test_the_loss_falls_and_held_out_passages_are_found(run: Path) -> None:
    record = json.loads((run / "train.json").read_text("utf-8"))
    losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    before = untrained(run, read_recipe(SMOKE))
    assert 0.1 < before < record["development"]["float"]["mean_ndcg@10"] - 0.03
    assert record["n_pairs"] == 216 - 40


def test_the_record_says_what_the_run_was_made_with(run: Path) -> None:
    record = json.loads((run / "train.json").read_text("utf-8"))
    assert record["held_out"] == {"pairs": {"queries": 40, "passages": 216}}
    assert record["data"] == str(RECIPES)
    assert (record["precision"], record["device"]) == ("float32", "cpu")  # bf16 is false
    assert record["konayuki"] == konayuki.__version__
    assert record["sentence_transformers"] == sentence_transformers.__version__


def test_held_out_tasks_of_the_hub_are_evaluation_sets(tmp_path: Path) -> None:
    one = RetrievalSet("held out", {"0": Passage("雪")}, {"0": "冬"}, {"0": {"0": 1}})
    write_held_out(["owner/set/config", "pairs"], [one, one], tmp_path)
    assert [found.name for found in read_sets(tmp_path)] == ["owner--set--config", "pairs"]


def test_two_tasks_of_one_source_are_refused() -> None:
    values = read_recipe(SMOKE).as_dict()
    tasks = [{"source": "pairs"}, {"source": "pairs", "held_out": 80}]
    with pytest.raises(InputError, match=r"development\[1\]\.source is 'pairs'"):
        recipe_from(values | {"development": tasks})


def test_the_folder_of_a_run_names_its_models(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(run)]) == 1
    assert str(run / "q4") in capsys.readouterr().err.partition("hint: ")[2]


def test_both_layouts_load_and_agree(run: Path) -> None:
    exact, packed = StaticModel.load(run / "float"), StaticModel.load(run / "q4")
    texts = ["熱中症の手当て", "だしの取り方"]
    assert (exact.encode(texts) * packed.encode(texts)).sum(axis=1).min() > 0.95


def test_a_run_is_the_same_by_seed_and_where_it_is_resumed(run: Path, tmp_path: Path) -> None:
    whole = StaticModel.load(run / "float")
    recipe = read_recipe(SMOKE)
    prepared = prepare(recipe, RECIPES, run / "cache", RECIPES)

    def fresh() -> Optimisation:
        network = network_of(prepared, recipe, RECIPES, run / "cache")
        return Optimisation(network, prepared.store, prepared.rows, recipe)

    first = fresh()
    steps = first.steps()
    for _ in range(12):
        next(steps)
    first.save(tmp_path)
    second = fresh()
    second.resume(tmp_path)
    assert second.progress.step == 12
    assert len(list(second.steps())) == recipe.training.steps - 12
    rows = second.network.weights().float_table().values
    np.testing.assert_allclose(rows, whole.weights.float_table().values, atol=1e-6)


def tables_of(run: Path, out: Path, *changes: str) -> "np.ndarray[Any, Any]":
    """Train the smoke recipe for 15 steps; return the rows."""
    settings = [word for one in ("training.steps=15", *changes) for word in ("--set", one)]
    paths = ["--out", str(out), "--cache", str(run / "cache")]
    assert main(["train", str(SMOKE), *paths, *settings]) == 0
    return StaticModel.load(out / "float").weights.float_table().values


def test_several_runs_give_the_mean_of_their_tables(run: Path, tmp_path: Path) -> None:
    both = tables_of(run, tmp_path / "both", "training.runs=2")
    first = tables_of(run, tmp_path / "first")
    recipe = read_recipe(SMOKE, ["training.steps=15"])
    prepared = prepare(recipe, RECIPES, run / "cache", RECIPES)
    network = network_of(prepared, recipe, RECIPES, run / "cache")
    other = recipe.training.model_copy(update={"seed": recipe.training.seed + 1})
    other_recipe = recipe.model_copy(update={"training": other})
    list(Optimisation(network, prepared.store, prepared.rows, other_recipe).steps())
    second = network.weights().float_table().values
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-5)
    assert not list((tmp_path / "both").glob("run-*"))
    record = json.loads((tmp_path / "both" / "train.json").read_text("utf-8"))
    steps = [entry["step"] for entry in record["history"]]
    assert steps == sorted(steps)
    assert steps[-1] == 30


@pytest.mark.slow
def test_several_runs_are_resumed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Optimisation.save

    def save_and_fail(self: Optimisation, folder: Path) -> None:
        saved(self, folder)
        raise RuntimeError("killed")

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Optimisation, "save", save_and_fail)
        with pytest.raises(RuntimeError, match="killed"):
            train(SMOKE, RECIPES, out, cache=run / "cache", changes=["training.runs=2"])
    with pytest.raises(InputError, match="--resume"):
        train(SMOKE, RECIPES, out, cache=run / "cache", changes=["training.runs=2"])
    changes = ["training.runs=2"]
    checkpoint = out / "run-1" / CHECKPOINT
    state = torch.load(checkpoint, weights_only=True)
    assert 0 < state["seconds"] < 600
    torch.save(state | {"seconds": 1000.0}, checkpoint)
    record = train(SMOKE, RECIPES, out, cache=run / "cache", changes=changes, resume=True)
    assert 1000 < record["wall_s"] < 1600
    train(SMOKE, RECIPES, tmp_path / "whole", cache=run / "cache", changes=changes)
    rows = [
        StaticModel.load(folder / "float").weights.float_table().values
        for folder in (out, tmp_path / "whole")
    ]
    np.testing.assert_allclose(*rows, atol=1e-6)


def test_a_finished_run_is_not_overwritten(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(SMOKE), "--out", str(run)]) == 2
    assert "hint: another --out, or --resume" in capsys.readouterr().err


def test_resuming_a_finished_run_changes_nothing(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["train", str(SMOKE), "--out", str(run), "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_an_unfinished_run_is_not_started_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"hours of work")
    assert main(["train", str(SMOKE), "--out", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / CHECKPOINT).read_bytes() == b"hours of work"


def test_a_damaged_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"noise")
    assert main(["train", str(SMOKE), "--out", str(tmp_path), "--resume"]) == 1
    assert CHECKPOINT in capsys.readouterr().err


@pytest.mark.parametrize("name", ["card", "konayuki-ja", "own-pairs", "smoke"])
def test_the_recipes_of_the_repository_read(name: str) -> None:
    assert read_recipe(RECIPES / f"{name}.toml").name == name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("learning_rat = 0.1", "learning_rat"),
        ("batch_size = 'many'", "training.batch_size is 'many'"),
        ("warmup_ratio = 2.0", "training.warmup_ratio is 2.0"),
    ],
)
def test_a_wrong_recipe_names_the_key(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = line.split()[0]
    kept = [row for row in SMOKE.read_text("utf-8").splitlines() if not row.startswith(f"{key} =")]
    kept.insert(kept.index("[training]") + 1, line)
    recipe = tmp_path / "wrong.toml"
    recipe.write_text("\n".join(kept), encoding="utf-8")
    assert main(["train", str(recipe), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "nearest"),
    [
        ({}, True),
        ({"quantized_share": 0.5}, False),
        ({"quantized_share": 0.5, "runs": 2}, True),
        ({"quantized_share": 0.5, "neighbour_share": 0.5}, True),
    ],
)
def test_rows_that_learned_the_seeds_scales_keep_them(
    changes: dict[str, Any], nearest: bool
) -> None:
    recipe = read_recipe(SMOKE)
    training = recipe.training.model_copy(update=changes)
    recipe = recipe.model_copy(update={"training": training})
    assert learned_on_the_grid(recipe) is not nearest


def test_the_scales_are_those_that_rows_learned_or_the_nearest() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    weights = Weights(FloatTable(rows), *straight_tanh(16))
    recipe = read_recipe(SMOKE)
    for share in (0.0, 0.5):
        training = recipe.training.model_copy(update={"quantized_share": share})
        asked = recipe.model_copy(update={"training": training})
        table = layouts_of(weights, asked)["q4"].packed_table()
        np.testing.assert_array_equal(table.codes, quantize(rows, nearest=not share).codes)


@pytest.mark.slow
def test_rows_lean_on_their_neighbours_in_the_end(run: Path, tmp_path: Path) -> None:
    before = tables_of(run, tmp_path / "before")
    after = tables_of(run, tmp_path / "after", "training.neighbour_share=0.5")
    weights = Weights(FloatTable(before), *straight_tanh(64))
    expected = turn_to_neighbours(weights, 0.5).float_table()
    np.testing.assert_allclose(after, expected.values, atol=1e-6)


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    settings = TrainingSettings(warmup_ratio=0.1)
    rates = [rate(step, 100, settings) for step in range(100)]
    assert rates[9] == 1.0
    assert rates[4] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(0.5, abs=0.01)
    assert rates[99] < 0.01


def test_missing_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "smoke.toml"
    shutil.copy(SMOKE, recipe)
    assert main(["train", str(recipe), "--out", str(tmp_path / "out")]) == 1
    assert "no file fits 'smoke/*.jsonl'" in capsys.readouterr().err


def test_without_tanh_the_folder_gives_the_means(run: Path, tmp_path: Path) -> None:
    options = ["--data", str(RECIPES), "--cache", str(run / "cache"), "--set", "training.steps=3"]
    options += ["--set", "model.tanh=false", "--out", str(tmp_path / "out")]
    assert main(["train", str(SMOKE), *options]) == 0
    model = StaticModel.load(tmp_path / "out/float")
    table = load_file(tmp_path / "out/float/model.safetensors")["embedding.weight"]
    text = "雪の結晶は六角形です。"
    path = tmp_path / "out/float/tokenizer.json"
    ids = build_tokenizer(path.read_bytes(), path).tokenize([text]).ids
    np.testing.assert_allclose(
        model.encode(text, normalize=False), table[ids].mean(0), rtol=1e-5, atol=1e-6
    )
    assert (tmp_path / "out/q4/embedding.q4_k_m.bin").is_file()


def test_a_static_embedding_is_written_as_that_library_reads_it(run: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    try:
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    except ImportError:  # sentence-transformers 5
        from sentence_transformers.models import StaticEmbedding

    recipe = tmp_path / "control.toml"
    text = SMOKE.read_text("utf-8").replace(
        "[model]", "[model]\ntanh = false\nstatic_embedding = true", 1
    )
    recipe.write_text(text, "utf-8")
    data = ["--data", str(RECIPES), "--cache", str(run / "cache")]
    assert main(["train", str(recipe), "--out", str(tmp_path / "control"), *data]) == 0
    assert sorted(path.name for path in (tmp_path / "control").iterdir() if path.is_dir()) == [
        "float"
    ]
    model = SentenceTransformer(str(tmp_path / "control/float"), device="cpu")
    assert isinstance(model[0], StaticEmbedding)
    record = json.loads((tmp_path / "control/train.json").read_text("utf-8"))
    before = untrained(run, read_recipe(recipe))
    assert before < record["development"]["float"]["mean_ndcg@10"] - 0.03
    prepared = prepare(read_recipe(recipe), RECIPES, run / "cache", RECIPES)
    texts = prepared.store.texts()
    (task,) = prepared.tasks
    vectors = [
        model.encode([texts[one] for one in side], normalize_embeddings=True)
        for side in (task.queries, task.corpus)
    ]
    found = mean_ndcg(vectors[0], vectors[1], task)
    assert found == pytest.approx(record["development"]["float"]["mean_ndcg@10"], abs=1e-3)
