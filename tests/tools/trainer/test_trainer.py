"""The Trainer of sentence-transformers, compared with our own loop."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")

from konayuki import StaticModel  # noqa: E402 - torch is optional
from konayuki.errors import InputError  # noqa: E402
from konayuki.model.tokenizer import build_tokenizer  # noqa: E402
from konayuki.training.development import score_tasks  # noqa: E402
from konayuki.training.losses import LOSSES, Sides  # noqa: E402
from konayuki.training.network import TrainedSSE  # noqa: E402
from konayuki.training.out_folder import TRAINER_CHECKPOINTS  # noqa: E402
from konayuki.training.pair_store import StoredTexts  # noqa: E402
from konayuki.training.preparation import network_of, prepare  # noqa: E402
from konayuki.training.recipe_file import read_recipe, recipe_from  # noqa: E402
from konayuki.training.results import development_sets  # noqa: E402
from konayuki.training.run import train as train_fused  # noqa: E402
from konayuki.training.start import Run, read_start, started_network  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.data import data_sets  # noqa: E402
from trainer.engine import last_checkpoint, nested_loss  # noqa: E402
from trainer.run import check_recipe_for_trainer, trainer_loop  # noqa: E402

train = partial(train_fused, loop=trainer_loop())

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "recipes"

# The libraries below us warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("ignore")


def write_recipe(folder: Path, **changes: str) -> Path:
    """Write the smoke recipe for the Trainer, with some keys of [training] changed."""
    keys = changes
    lines = (RECIPES / "smoke.toml").read_text("utf-8").splitlines()
    lines = [line for line in lines if line.partition(" =")[0] not in keys]
    place = lines.index("[training]") + 1
    lines[place:place] = [f"{key} = {value}" for key, value in keys.items()]
    path = folder / "stock.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def losses(out: Path) -> list[float]:
    history = json.loads((out / "train.json").read_text("utf-8"))["history"]
    return [entry["loss"] for entry in history if "loss" in entry]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(write_recipe(out), RECIPES, out / "stock")
    return out / "stock"


def test_the_trainer_lowers_the_loss_and_leaves_what_the_fused_engine_leaves(
    run: Path, tmp_path: Path
) -> None:
    record = json.loads((run / "train.json").read_text("utf-8"))
    scored = [entry["step"] for entry in record["history"] if "mean_ndcg@10" in entry]

    assert losses(run)[-1] < losses(run)[0] / 2
    assert scored == [10, 20, 30]
    recipe = read_recipe(write_recipe(tmp_path))
    prepared = prepare(recipe, RECIPES, run / "cache", RECIPES)
    weights = network_of(prepared, recipe, RECIPES, run / "cache").weights()
    before = score_tasks(weights, prepared.store, prepared.tasks, recipe.model.dims[:1])["mean"]
    assert before < record["development"]["float"]["mean_ndcg@10"] - 0.02
    assert record["trainer"] == "sentence-transformers"
    assert (record["n_steps"], record["n_pairs"]) == (30, 176)
    for name in ("loss.png", "ndcg.png", "SOURCES.tsv", "q4/README.md", "float/README.md"):
        assert (run / name).stat().st_size > 30
    assert not (run / TRAINER_CHECKPOINTS).exists()
    exact, packed = StaticModel.load(run / "float"), StaticModel.load(run / "q4")
    texts = ["熱中症の手当て", "だしの取り方"]
    assert (exact.encode(texts) * packed.encode(texts)).sum(axis=1).min() > 0.95


def test_the_card_tells_of_the_run(run: Path) -> None:
    card = (run / "q4" / "README.md").read_text("utf-8")
    record = json.loads((run / "train.json").read_text("utf-8"))

    assert "held out of pairs" in card
    score = re.search(r"type: cosine_ndcg@10\n +value: ([0-9.]+)", card)
    assert score is not None
    wanted = record["development"]["q4"]["mean_ndcg@10"]
    assert float(score[1]) == pytest.approx(wanted, abs=1e-3)
    assert "(assets/loss.png)" in card


def test_both_engines_say_the_held_out_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, engine in (("fused", train_fused), ("trainer", train)):
        recipe = write_recipe(tmp_path, steps="4", evaluation_steps="2")
        record = engine(recipe, RECIPES, tmp_path / name)
        # A bar of the libraries below may still stand on the line.
        said = re.findall(r"step (\d) of 4: .*nDCG@10 (\S+)$", capsys.readouterr().err, re.M)
        scores = [
            (str(entry["step"]), f"{entry['mean_ndcg@10']:.4f}")
            for entry in record["history"]
            if "mean_ndcg@10" in entry
        ]
        assert said == scores
        assert len(said) == 2


@pytest.mark.slow
def test_a_resumed_run_ends_where_an_unbroken_one_ends(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"

    class Killed(Exception):
        pass

    def die(self: object) -> None:
        if len(list((out / TRAINER_CHECKPOINTS).glob("checkpoint-15"))):
            raise Killed

    kept = TrainedSSE.weights
    monkeypatch.setattr(TrainedSSE, "weights", lambda self: die(self) or kept(self))
    with pytest.raises(Killed):
        train(recipe, RECIPES, out)  # at the first evaluation after the checkpoint
    monkeypatch.undo()
    with pytest.raises(InputError, match="holds a run already"):
        train(recipe, RECIPES, out)
    train(recipe, RECIPES, out, resume=True)

    tables = [StaticModel.load(one / "float").weights.float_table().values for one in (out, run)]
    np.testing.assert_allclose(*tables, atol=1e-5)
    assert losses(out) == pytest.approx(losses(run), rel=1e-4)


def written_checkpoint(out: Path, step: int, state: str = "{}") -> None:
    folder = out / TRAINER_CHECKPOINTS / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(state, encoding="utf-8")


def test_a_damaged_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    written_checkpoint(out, 15)
    command = [str(write_recipe(tmp_path)), "--data", str(RECIPES), "--out", str(out)]
    assert main([*command, "--resume"]) == 1
    assert "checkpoint-15 cannot be resumed" in capsys.readouterr().err


def test_a_checkpoint_that_was_cut_off_gives_way_to_an_older_one(tmp_path: Path) -> None:
    written_checkpoint(tmp_path, 9, '{"epoch": 1}')
    written_checkpoint(tmp_path, 36)
    written_checkpoint(tmp_path, 39, '{"epoch": 1, "glo')
    (tmp_path / TRAINER_CHECKPOINTS / "checkpoint-42").mkdir()

    found = last_checkpoint(tmp_path)
    assert found is not None
    assert found.name == "checkpoint-36"
    assert last_checkpoint(tmp_path / "elsewhere") is None


def test_a_run_killed_behind_its_last_step_takes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = write_recipe(tmp_path, steps="4", checkpoint_steps="2"), tmp_path / "out"

    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("konayuki.training.run.write_results", die)
        train(recipe, RECIPES, out)
    kept = load_file(out / TRAINER_CHECKPOINTS / "checkpoint-4" / "model.safetensors")
    record = train(recipe, RECIPES, out, resume=True)

    table = load_file(out / "float" / "model.safetensors")["embedding.weight"]
    np.testing.assert_array_equal(table, kept["embedding.weight"])
    assert max(entry["step"] for entry in record["history"]) == record["n_steps"] == 4


@pytest.mark.parametrize("engine", [train_fused, train], ids=["fused", "trainer"])
def test_a_loss_that_is_no_number_ends_the_run(engine: Any, tmp_path: Path) -> None:
    keys = {"learning_rate": "1e38", "log_steps": "1", "evaluation_steps": "0"}
    recipe = write_recipe(tmp_path, **keys)
    with pytest.raises(InputError, match=r"(?s)the loss at step \d is nan.*lower than 1e\+38"):
        engine(recipe, RECIPES, tmp_path / "out")
    assert not (tmp_path / "out" / "train.json").exists()


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    changes = ["development=[{source='pairs', held_out=999, queries=999}]"]
    with pytest.raises(InputError, match="no pair is left to train on"):
        train(recipe, RECIPES, tmp_path / "out", changes=changes)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"training": {"token_dropout": 0.1}}, r"training\.token_dropout is 0\.1"),
        ({"training": {"max_query_tokens": 32}}, "cuts both sides alike"),
        ({"training": {"source_batches": 0.5}}, r"training\.source_batches"),
        ({"distillation": {"teacher": "teacher"}}, r"distillation\.teacher is 'teacher'"),
    ],
)
def test_what_the_trainer_cannot_do_is_said_before_data_is_read(section, said) -> None:
    with pytest.raises(InputError, match=said):
        check_recipe_for_trainer(recipe_from({"sources": [{"files": "*"}], **section}))


def test_the_tables_hold_the_texts_that_may_be_trained_on(tmp_path: Path) -> None:
    rows = [
        {"query": f"問い{n}", "positive": f'答え "{n}"\n', "negative": "違う" if n < 3 else ""}
        for n in range(8)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    source = {"files": "a.jsonl", "columns": ["query", "positive", "negative"], "weight": 1.0}
    prepared = prepare(recipe_from({"sources": [source]}), tmp_path, tmp_path / "cache", tmp_path)

    assert list(StoredTexts(prepared.store.folder)) == prepared.store.texts()
    found = data_sets(prepared.store, np.array([0, 2, 3, 7]), seed=0)
    assert {name: list(one) for name, one in found.items()} == {
        "a": [{"query": f"問い{n}", "positive": f'答え "{n}"'} for n in (3, 7)],
        "a with negatives": [
            {"query": f"問い{n}", "positive": f'答え "{n}"', "negative": "違う"} for n in (0, 2)
        ],
    }


def test_held_out_sets_are_written_without_reading_the_other_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(f'{{"query": "問{n}", "positive": "答{n}"}}\n' for n in range(40))
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    task = {"source": "a", "held_out": 2, "queries": 2, "corpus": 3}
    recipe = recipe_from({"sources": [{"files": "a.jsonl"}], "development": [task]})
    prepared = prepare(recipe, tmp_path, tmp_path / "cache", tmp_path)
    read: set[int] = set()
    kept = StoredTexts.__getitem__
    monkeypatch.setattr(
        StoredTexts, "__getitem__", lambda self, number: read.add(number) or kept(self, number)
    )
    (one,) = development_sets(prepared)

    wanted = {*prepared.tasks[0].queries.tolist(), *prepared.tasks[0].corpus.tolist()}
    assert (read, len(wanted)) == (wanted, 5)
    for query, gains in one.qrels.items():
        (answer,) = gains
        assert one.corpus[answer].text == one.queries[query].replace("問", "答")


def test_weights_set_how_many_pairs_a_table_has(tmp_path: Path) -> None:
    lines = "".join(f'{{"query": "問{n}", "positive": "答{n}"}}\n' for n in range(40))
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(lines.replace("問", "別"), encoding="utf-8")
    sources = [{"files": "a.jsonl", "weight": 0.25}, {"files": "b.jsonl", "weight": 1.5}]
    prepared = prepare(recipe_from({"sources": sources}), tmp_path, tmp_path / "cache", tmp_path)
    found = data_sets(prepared.store, prepared.rows, seed=0)

    assert {name: len(one) for name, one in found.items()} == {"a": 10, "b": 60}
    assert len(set(found["a"]["query"])) == 10


@pytest.mark.parametrize("kind", LOSSES)
def test_the_stock_loss_is_the_fused_loss(run: Path, kind: str) -> None:
    from sentence_transformers import SentenceTransformer

    recipe = read_recipe(RECIPES / "smoke.toml", [f"loss.kind={kind!r}", "training.bf16=false"])
    model = SentenceTransformer(str(run / "float"), trust_remote_code=True, device="cpu")
    texts = [["雪の朝", "犬と猫", "川"], ["冬は寒い", "動物と暮らす", "水が流れる"]]
    batches = [model[0].preprocess(side) for side in texts]
    loss = nested_loss(model, recipe, gather=False)(batches, None)
    start = read_start(Run(RECIPES / "smoke.toml", recipe, run, run / "float"))
    assert start is not None
    network = started_network(start, model[0].tokenizer, 64)
    tokenizer = build_tokenizer((run / "float" / "tokenizer.json").read_bytes(), run)
    wanted = LOSSES[kind](network, Sides(*(tokenizer.tokenize(side) for side in texts)), recipe)

    torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-5)


def test_gathering_is_asked_of_the_loss(run: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(run / "float"), trust_remote_code=True, device="cpu")
    recipe = recipe_from({"sources": [{"files": "*"}], "model": {"dims": [8, 4]}})
    loss = nested_loss(model, recipe, gather=True)

    assert loss.loss.gather_across_devices
    assert tuple(loss.matryoshka_dims) == (8, 4)


def torchrun(
    recipe: Path, out: Path, port: int, *options: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(port), "-m", "trainer", str(recipe)]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tools")])
    return subprocess.run(
        [*command, "--data", str(RECIPES), "--out", str(out), *options],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.mark.slow
def test_two_processes_follow_the_loss_of_one(run: Path, tmp_path: Path) -> None:
    done = torchrun(write_recipe(tmp_path, batch_size="32"), tmp_path / "out", 29511)

    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((tmp_path / "out" / "train.json").read_text("utf-8"))
    assert (record["processes"], record["n_steps"]) == (2, 30)
    np.testing.assert_allclose(losses(tmp_path / "out"), losses(run), rtol=0.25, atol=0.02)
    scores = [
        json.loads((one / "train.json").read_text("utf-8"))["development"]["float"]["mean_ndcg@10"]
        for one in (tmp_path / "out", run)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


def write_chain(folder: Path, **changes: str) -> Path:
    """Write a recipe for the Trainer that starts from the smoke recipe with some changes."""
    write_recipe(folder, **changes)
    second = folder / "second"
    second.mkdir()
    path = write_recipe(second, steps="4")
    text = path.read_text("utf-8").replace("[model]", '[model]\nstart = "../stock.toml"', 1)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
def test_two_processes_train_a_chain_and_one_prints(tmp_path: Path) -> None:
    recipe, out = write_chain(tmp_path, steps="4"), tmp_path / "out"
    done = torchrun(recipe, out, 29513, "--set", "training.steps=3")

    assert done.returncode == 0, done.stderr[-3000:]
    (printed,) = done.stdout.splitlines()
    record = json.loads((out / "train.json").read_text("utf-8"))
    before = json.loads((out / "start" / "train.json").read_text("utf-8"))
    assert [(one["processes"], one["n_steps"]) for one in (before, record)] == [(2, 4), (2, 3)]
    assert json.loads(printed)["development"] == record["development"]
    assert record["development"]["start"] == before["development"]["float"]


def test_the_recipe_of_a_start_is_checked_too(tmp_path: Path) -> None:
    recipe = write_chain(tmp_path, source_batches="0.5")

    with pytest.raises(InputError, match=r"training\.source_batches is 0\.5"):
        train(recipe, RECIPES, tmp_path / "out")


def test_only_the_first_process_prints(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(write_recipe(tmp_path)), "--out", str(run), "--resume"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["n_steps"] == 30
    monkeypatch.setenv("RANK", "1")
    assert main(words) == 0
    assert not capsys.readouterr().out
