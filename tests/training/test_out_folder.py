"""The folder of a run: what may begin and go on in it."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")


from konayuki.cli import main  # noqa: E402 - torch is optional
from konayuki.errors import CheckpointError, InputError  # noqa: E402
from konayuki.files import FileLock  # noqa: E402
from konayuki.training.optimisation import CHECKPOINT, Optimisation  # noqa: E402
from konayuki.training.out_folder import BEGUN, CACHE, LOCK, check_folder, differences  # noqa: E402
from konayuki.training.run import train  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMOKE = RECIPES / "smoke.toml"
SHORT = ["training.steps=6", "training.checkpoint_steps=2", "training.evaluation_steps=0"]


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def killed_run(out: Path, cache: Path, *changes: str, after: int = 4) -> None:
    """Train the smoke recipe and die behind the checkpoint of a step."""
    saved = Optimisation.save

    def save_and_die(self: Optimisation, folder: Path) -> None:
        saved(self, folder)
        if self.progress.step == after:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Optimisation, "save", save_and_die)
        train(SMOKE, RECIPES, out, cache=cache, changes=[*SHORT, *changes], show_progress=False)


def resumed(out: Path, cache: Path, *changes: str) -> dict[str, Any]:
    settings = [*SHORT, *changes]
    return train(
        SMOKE, RECIPES, out, cache=cache, changes=settings, resume=True, show_progress=False
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    out = tmp_path_factory.mktemp("killed") / "out"
    killed_run(out, cache)
    return out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.seed=7", r"training\.seed = 0, not 7"),
        ("training.steps=3", r"training\.steps = 6, not 3"),
        ("training.runs=2", r"training\.runs = 1, not 2"),
        ("loss.scale=10.0", r"loss\.scale = 20\.0, not 10\.0"),
        ("model.dims=[64]", r"model\.dims = \[64, 32\], not \[64\]"),
    ],
)
def test_a_run_goes_on_with_its_own_recipe_only(
    change: str, said: str, killed: Path, cache: Path
) -> None:
    with pytest.raises(InputError, match=rf"holds a run with {said}\nhint: resume it with"):
        resumed(killed, cache, change)
    assert (killed / CHECKPOINT).is_file()


def test_a_run_goes_on_with_its_own_pairs_only(killed: Path, cache: Path) -> None:
    text = (killed / BEGUN).read_text("utf-8")
    pairs = json.loads(text)["pairs"]
    (killed / BEGUN).write_text(text.replace(pairs, "pairs-others"), "utf-8")
    with pytest.raises(InputError, match=rf"other pairs: pairs-others, not {pairs}"):
        resumed(killed, cache)
    (killed / BEGUN).write_text(text, "utf-8")


@pytest.mark.parametrize("known", [True, False], ids=["as now", "as an older version leaves it"])
def test_a_resumed_run_is_complete_and_stays_that_of_its_recipe(
    known: bool, tmp_path: Path, cache: Path
) -> None:
    killed_run(tmp_path / "out", cache)
    if not known:
        (tmp_path / "out" / BEGUN).unlink()
    record = resumed(tmp_path / "out", cache, "training.log_steps=1", "training.threads=1")
    assert record["n_steps"] == 6
    assert not (tmp_path / "out" / BEGUN).exists()
    assert resumed(tmp_path / "out", cache)["history"] == record["history"]
    with pytest.raises(InputError, match=r"a finished run with training\.seed = 0, not 7"):
        resumed(tmp_path / "out", cache, "training.seed=7")


@pytest.mark.slow
def test_a_loss_noted_after_a_resume_is_that_of_all_its_steps(tmp_path: Path, cache: Path) -> None:
    killed_run(tmp_path / "out", cache, "training.log_steps=5")
    noted = resumed(tmp_path / "out", cache, "training.log_steps=5")["history"][0]
    settings = [*SHORT, "training.log_steps=5"]
    paths = SMOKE, RECIPES, tmp_path / "whole"
    whole = train(*paths, cache=cache, changes=settings, show_progress=False)["history"][0]
    assert noted["step"] == whole["step"] == 5
    assert noted["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_a_checkpoint_behind_the_last_step_is_refused(tmp_path: Path, cache: Path) -> None:
    killed_run(tmp_path / "out", cache)
    (tmp_path / "out" / BEGUN).unlink()
    with pytest.raises(CheckpointError, match=r"is at step 4: expected at most 3"):
        resumed(tmp_path / "out", cache, "training.steps=3")


@pytest.mark.slow
def test_more_runs_may_follow(tmp_path: Path, cache: Path) -> None:
    killed_run(tmp_path / "out", cache, "training.runs=2")
    assert resumed(tmp_path / "out", cache, "training.runs=3")["n_steps"] == 18


def test_a_start_whose_recipe_has_changed_is_not_taken(tmp_path: Path, cache: Path) -> None:
    text = SMOKE.read_text("utf-8")
    (tmp_path / "first.toml").write_text(text.replace("steps = 30", "steps = 2"), "utf-8")
    (tmp_path / "second.toml").write_text('[model]\nstart = "first.toml"\ndims = [64]\n', "utf-8")
    paths = tmp_path / "second.toml", RECIPES, tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("konayuki.training.run.prepare", dying_behind_the_start())
        train(*paths, cache=cache, show_progress=False)
    (tmp_path / "first.toml").write_text(text.replace("steps = 30", "steps = 3"), "utf-8")
    with pytest.raises(InputError, match=r"start holds a finished run with training\.steps = 2"):
        train(*paths, cache=cache, resume=True, show_progress=False)


def dying_behind_the_start() -> Any:
    from konayuki.training.run import prepare

    def prepare_or_die(*given: Any) -> Any:
        if given[-1]:
            raise Killed
        return prepare(*given)

    return prepare_or_die


def test_a_record_that_is_none_is_named(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "train.json").write_text("[1]", "utf-8")
    with pytest.raises(CheckpointError, match=r"train\.json is not the record of a run"):
        resumed(tmp_path, cache)


def test_differences_name_the_key_in_tables_and_lists() -> None:
    kept = {"a": {"b": 1, "old": 2}, "sources": [{"weight": 1.0}], "development": []}
    now = {"a": {"b": 1, "new": 3}, "sources": [{"weight": 2.0}], "development": [{"queries": 5}]}
    assert list(differences(kept, now)) == [
        ("sources[0].weight", 1.0, 2.0),
        ("the number of development", 0, 1),
    ]


def test_files_of_others_are_left_alone(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "SOURCES.tsv").write_text("mine", "utf-8")
    command = ["train", str(SMOKE), "--cache", str(cache), "--out", str(tmp_path)]
    for options in ([], ["--resume"], ["--data", str(tmp_path)]):
        assert main([*command, *options]) == 2
    said = capsys.readouterr().err
    assert "holds 'SOURCES.tsv' and no run: expected an empty folder" in said
    assert "is the folder of the data" in said
    assert [path.name for path in tmp_path.iterdir()] == ["SOURCES.tsv"]


def test_a_cache_and_hidden_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / CACHE).mkdir()
    (tmp_path / ".gitkeep").touch()
    check_folder(tmp_path, RECIPES, tmp_path / CACHE, resume=False)


def test_folders_that_cannot_be_are_named(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    for options in (
        ["--out", str(file)],
        ["--out", str(tmp_path / "out"), "--cache", str(file)],
        ["--out", str(file / "inside"), "--cache", str(cache)],
    ):
        assert main(["train", str(SMOKE), *options]) == 2
        said = capsys.readouterr().err
        assert str(file) in said
        assert "hint: another --" in said


def test_two_runs_do_not_share_a_folder(tmp_path: Path, cache: Path) -> None:
    other = FileLock(tmp_path / LOCK, InputError)
    other.acquire()
    with pytest.raises(InputError, match="another process is training into"):
        resumed(tmp_path, cache)
    other.release()
