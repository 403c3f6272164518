"""`konayuki site` on a folder and on an index."""

import json
from pathlib import Path

import pytest

from konayuki import StaticModel
from konayuki.cli import main
from konayuki.search import Index
from serving.tiny import DIM, save_tiny_model


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_tiny_model(tmp_path / "model"))


def test_a_folder_gets_its_search_and_a_second_run_writes_nothing(tmp_path, model, capsys):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "a.html").write_text("<title>山</title><p>富士山は高い。</p>", encoding="utf-8")
    command = ["site", str(folder), "--dim", str(DIM), "--model", model]

    assert main([*command, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert main(command) == 0
    text = capsys.readouterr().out

    assert summary["passages"] == summary["pages"] == 1
    assert summary["written"] == summary["files"] == len(list((folder / "konayuki").rglob("*.*")))
    assert "(0 written, 0 removed)" in text
    assert 'src="/konayuki/konayuki-search.js" data-auto' in text


def test_the_passages_of_an_index_can_be_taken(tmp_path, model, capsys, ask):
    with Index.create(tmp_path / "i", StaticModel.load(model)) as index:
        index.add([{"id": "1", "text": "古い文"}, {"id": "2", "text": "琵琶湖は広い"}])
        index.add([{"id": "1", "text": "富士山は高い", "metadata": {"path": "a b/山.html"}}])
    out = tmp_path / "out"
    command = ["site", "--from", str(tmp_path / "i"), "--out", str(out), "--model", model]

    assert main([*command, "--dim", str(DIM)]) == 0
    hits = ask(out, questions=["富士山"], k=5)["hits"][0]
    assert [hit["id"] for hit in hits] == ["1", "2"]
    assert "2 passages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either a folder of built HTML or --from INDEX"),
        (["a", "--from", "b"], "expected either"),
        (["--from", "b"], "--from needs --out DIR"),
        (["a", "--cache", "a/b/../kept.sqlite"], "lies in a, which is published"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, capsys):
    assert main(["site", *arguments]) == 2
    assert message in capsys.readouterr().err
