"""Models to the hub and back, by the real huggingface_hub against a hub of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("huggingface_hub")

from evaluation.tiny_model import save_tiny_model, tiny_model
from integrations.model_hub import READER, WRITER, ModelHub
from konayuki.errors import CheckpointError, InputError, NotFoundError
from konayuki.evaluation import evaluate_dense
from konayuki.integrations.hub_push import push
from konayuki.model import StaticModel

LOAD = """
import json, sys
from konayuki import StaticModel
from konayuki.errors import KonayukiError
for options in json.loads(sys.argv[1]):
    name = options.pop("name")
    try:
        model = StaticModel.load(name, **options)
        print(json.dumps({"fingerprint": model.fingerprint, "folder": str(model.source)}))
    except KonayukiError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
"""
MODEL_FILES = {
    "SSE.py",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "tokenizer.json",
}


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    hub = ModelHub()
    yield hub
    hub.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def run(hub: ModelHub, home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
    """Run Python in a process of its own: huggingface_hub reads its environment at import."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": "utf-8",
        **settings,
    }
    command = [sys.executable, "-W", "error::DeprecationWarning:konayuki", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )


def loaded(hub: ModelHub, home: Path, *options: dict, **settings: str) -> list[dict]:
    done = run(hub, home, "-c", LOAD, json.dumps(options), **settings)
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr  # bars are for terminals
    return [json.loads(line) for line in done.stdout.splitlines()]


def pushed(hub: ModelHub, home: Path, *arguments: str, **settings: str) -> dict:
    done = run(hub, home, "-m", "konayuki", "push", *arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr  # bars are for terminals
    return json.loads(done.stdout)


def test_a_model_goes_up_with_a_card_and_comes_back(
    hub: ModelHub, folder: Path, tmp_path: Path
) -> None:
    (folder / "checkpoint-7").mkdir()
    (folder / "checkpoint-7" / "optimizer.pt").write_bytes(b"secret")
    (folder / ".env").write_text("HF_TOKEN=secret")
    (folder / "NOTICE.md").write_text("thanks")

    report = pushed(hub, tmp_path, str(folder), "me/tiny", HF_TOKEN=WRITER)
    (model,) = loaded(hub, tmp_path, {"name": "me/tiny"})

    (first, commit) = hub.repos["me/tiny"].branches["main"]
    assert set(commit.files) == MODEL_FILES | {"README.md", "NOTICE.md", ".gitattributes"}
    assert {file["path"]: file["bytes"] for file in report["files"]} == {
        path: len(content) for path, content in commit.files.items() if path != ".gitattributes"
    }
    assert report["commit"] == commit.sha != first.sha
    assert report["url"] == f"{hub.address}/me/tiny/commit/{commit.sha}"
    assert not hub.repos["me/tiny"].private
    card = commit.files["README.md"].decode()
    assert card.startswith("---\nlanguage:\n- ja\n")
    assert 'StaticModel.load("me/tiny")' in card
    assert not (folder / "README.md").exists()
    assert model["fingerprint"] == tiny_model().fingerprint
    # What comes back is what loading needs, and nothing else.
    needed = {"model.safetensors", "tokenizer.json", "modules.json"}
    assert set(files_of(Path(model["folder"]))) == needed


@pytest.mark.slow
def test_branch_message_licence_and_private(hub: ModelHub, folder: Path, tmp_path: Path) -> None:
    options = ("--revision", "q4", "--message", "Pack it", "--license", "mit", "--private")
    report = pushed(hub, tmp_path, str(folder), "me/tiny", *options, "--token", WRITER)

    repo = hub.repos["me/tiny"]
    commit = repo.branches["q4"][-1]
    assert (repo.private, commit.summary, report["revision"]) == (True, "Pack it", "q4")
    assert len(repo.branches["main"]) == 1
    assert "license: mit" in commit.files["README.md"].decode()

    ours = {"fingerprint": tiny_model().fingerprint}
    closed, branch, by_name, by_commit, conflict, absent = loaded(
        hub,
        tmp_path,
        {"name": "me/tiny", "revision": "q4", "token": False},
        {"name": "me/tiny", "revision": "q4", "token": READER},
        {"name": "me/tiny@q4", "token": READER},
        {"name": f"me/tiny@{commit.sha}", "token": READER},
        {"name": "me/tiny@q4", "revision": "main", "token": READER},
        {"name": "me/tiny", "revision": "v9", "token": READER},
    )
    assert closed["kind"] == "NotFoundError"
    assert "is private and not open to this token\nhint: token=... or HF_TOKEN" in closed["error"]
    for found in (branch, by_name, by_commit):
        assert found.items() >= ours.items()
    assert conflict["kind"] == "InputError"
    assert "at revision v9 from the hub: it has no such revision" in absent["error"]


@pytest.mark.slow
def test_a_card_of_the_folder_is_kept_and_a_second_push_changes_nothing(
    hub: ModelHub, folder: Path, tmp_path: Path
) -> None:
    (folder / "README.md").write_text("---\nlanguage: ja\n---\nours", encoding="utf-8")
    pushed(hub, tmp_path, str(folder), "me/own", HF_TOKEN=WRITER)
    assert hub.repos["me/own"].find("main").files["README.md"].endswith(b"ours")

    pushed(hub, tmp_path, str(folder), "me/own", HF_TOKEN=WRITER)
    assert len(hub.repos["me/own"].branches["main"]) == 2  # nothing had changed


@pytest.mark.slow
def test_a_measured_model_gets_the_full_card(hub: ModelHub, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from evaluation.layouts import CORPUS, QRELS, QUERIES
    from konayuki.evaluation.report import Report, as_json
    from konayuki.evaluation.sets import build_retrieval_set
    from konayuki.rows import Row

    tables = ([Row(line, "table", 1) for line in table] for table in (CORPUS, QUERIES, QRELS))
    scores = evaluate_dense(tiny_model(), build_retrieval_set("lakes", *tables))
    report = as_json(Report("tiny", tuple(scores)))
    (folder / "evaluation.json").write_text(report, encoding="utf-8")

    pushed(hub, tmp_path, str(folder), "me/measured", HF_TOKEN=WRITER)

    files = hub.repos["me/measured"].find("main").files
    assert b"ndcg" in files["README.md"]
    assert {"evaluation.json", "assets/architecture.png"} <= set(files)


@pytest.mark.slow
def test_weights_of_the_other_layout_leave_the_repository(
    hub: ModelHub, folder: Path, tmp_path: Path
) -> None:
    tiny_model().save(tmp_path / "q4", layout="q4")
    pushed(hub, tmp_path, str(tmp_path / "q4"), "me/tiny", HF_TOKEN=WRITER)

    report = pushed(hub, tmp_path, str(folder), "me/tiny", HF_TOKEN=WRITER)

    assert report["removed"] == ["embedding.q4_k_m.bin", "model_rest.safetensors"]
    (model,) = loaded(hub, tmp_path, {"name": "me/tiny"})
    assert model["fingerprint"] == tiny_model().fingerprint


def test_a_dry_run_asks_nobody(hub: ModelHub, folder: Path, tmp_path: Path) -> None:
    report = pushed(hub, tmp_path, str(folder), "me/tiny", "--dry-run")
    listing = run(hub, tmp_path, "-m", "konayuki", "push", str(folder), "me/tiny", "--dry-run")

    assert hub.requests == []
    assert set(files_of(folder)) == MODEL_FILES
    assert (report["dry_run"], report["commit"]) == (True, None)
    assert {file["path"] for file in report["files"]} == MODEL_FILES | {"README.md"}
    assert "README.md\tto be written\n" in listing.stdout
    assert "6 files" in listing.stderr


@pytest.mark.slow
def test_a_push_that_is_refused_says_so(hub: ModelHub, folder: Path, tmp_path: Path) -> None:
    hub.add("me/open", {})
    for repo, options, message in (
        ("me/tiny", (), "cannot push to 'me/tiny': "),
        ("me/open", ("--private", "--token", WRITER), "'me/open' exists and is public"),
    ):
        done = run(hub, tmp_path, "-m", "konayuki", "push", str(folder), repo, *options)
        assert done.returncode == 1
        assert done.stderr.startswith(f"konayuki push: {message}")
        assert "hint: " in done.stderr
        assert "the token must be allowed to write" in done.stderr or repo == "me/open"
    assert hub.repos["me/open"].find("main").files == {}
    assert not hub.objects

    hub.broken = True
    done = run(hub, tmp_path, "-m", "konayuki", "push", str(folder), "me/tiny")
    assert done.returncode == 1
    assert " 503 " in done.stderr or "503 Service" in done.stderr  # the wording is the client's
    assert "hint: a push is one commit: nothing was changed" in done.stderr


@pytest.mark.slow
def test_the_cache_serves_when_the_hub_does_not(
    hub: ModelHub, folder: Path, tmp_path: Path
) -> None:
    repo = hub.add("me/tiny", files_of(folder))
    (first,) = loaded(hub, tmp_path, {"name": "me/tiny"})
    fetched = [line for line in hub.requests if line.startswith("GET") and "/resolve/" in line]
    assert len(fetched) == 3  # weights, tokenizer, modules.json

    hub.requests.clear()
    offline = loaded(hub, tmp_path, {"name": "me/tiny"}, {"name": "me/other"}, HF_HUB_OFFLINE="1")
    assert hub.requests == []
    assert offline[0] == first
    assert "HF_HUB_OFFLINE is set and the cache does not hold it" in offline[1]["error"]

    hub.broken = True
    again, absent = loaded(hub, tmp_path, {"name": "me/tiny"}, {"name": "me/other"})
    assert again == first
    assert absent["kind"] == "NotFoundError"

    hub.broken = False
    repo.commit("main", "another", {**files_of(folder), "tokenizer.json": b"{}"})
    (newer,) = loaded(hub, tmp_path, {"name": "me/tiny"})
    assert newer["kind"] == "CheckpointError"  # the newest commit is asked for, and it is damaged
    hub.requests.clear()
    commit = repo.branches["main"][0].sha
    (pinned,) = loaded(hub, tmp_path, {"name": "me/tiny", "revision": commit})
    assert pinned == first
    assert not any("/resolve/" in line for line in hub.requests)


def test_bundled_models_folders_and_mistyped_paths_ask_nobody(
    hub: ModelHub, folder: Path, tmp_path: Path
) -> None:
    names = [None, str(folder), f"{folder}/", f"{tmp_path}/modle", "./modle", "runs/x/", "modle"]
    done = loaded(hub, tmp_path, *({"name": name} for name in names))

    assert hub.requests == []
    assert done[0]["fingerprint"] == StaticModel.load().fingerprint
    assert done[1]["fingerprint"] == done[2]["fingerprint"] == tiny_model().fingerprint
    assert [one["kind"] for one in done[3:]] == ["NotFoundError"] * 4
    assert done[3]["error"].endswith(f"hint: there is {folder}")
    assert all("\nhint: " in one["error"] for one in done[3:])


def test_hints_for_names_that_are_no_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=r"it is a file: give its folder, "):
        StaticModel.load(folder / "tokenizer.json")
    with pytest.raises(NotFoundError, match=r"hint: there is modle2"):
        (tmp_path / "modle2").mkdir()
        StaticModel.load("modle1")
    with pytest.raises(NotFoundError, match=r"the folder model is here; model/x@main asks the hub"):
        StaticModel.load("model/x")
    with pytest.raises(NotFoundError, match=r"a hub id is owner/name"):
        StaticModel.load("ruri")


def test_what_cannot_be_pushed(folder: Path, tmp_path: Path) -> None:
    for repo in ("tiny", "me/tiny/x", "./tiny", "me/tiny@main", "me/ti--ny", "me/tiny.git"):
        with pytest.raises(InputError, match="expected owner/name"):
            push(folder, repo)
    with pytest.raises(NotFoundError, match="no model folder"):
        push(tmp_path / "nothing", "me/tiny")
    with pytest.raises(NotFoundError, match="expected a file"):
        push(tmp_path, "me/tiny")
    (folder / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(CheckpointError):
        push(folder, "me/tiny", dry_run=True)


@pytest.mark.slow
def test_a_pushed_model_gives_the_same_vectors(hub: ModelHub, tmp_path: Path) -> None:
    model = StaticModel.load()
    assert model.source is not None
    pushed(hub, tmp_path, str(model.source), "me/bundled", "--token", WRITER)

    (again,) = loaded(hub, tmp_path, {"name": "me/bundled"})

    texts = ["富士山の高さ", "日本一高い山"]
    np.testing.assert_array_equal(
        StaticModel.load(again["folder"]).encode(texts), model.encode(texts)
    )
    assert "NOTICE.md" in hub.repos["me/bundled"].find("main").files
