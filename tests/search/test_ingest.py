"""An index follows files."""

import json
import os
from pathlib import Path

import pytest

from konayuki.errors import FormatError
from konayuki.search import Cutting, Index, update
from search.stand_in import HashEncoder


@pytest.fixture
def index(fresh):
    with Index.open(fresh("index"), HashEncoder()) as index:
        yield index


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("# 山\n富士山は高い。", "utf-8")
    (folder / "b.txt").write_text("琵琶湖は広い。" * 10, "utf-8")
    return folder


def test_only_changed_files_are_read_again(index: Index, notes: Path):
    first = update(index, [notes], Cutting(size=40))
    assert (first.files, first.unchanged, first.passages) == (2, 0, 3)
    again = update(index, [notes], Cutting(size=40))
    assert (again.files, again.unchanged, again.passages) == (2, 2, 0)
    (notes / "b.txt").write_text("琵琶湖は深い。", "utf-8")
    changed = update(index, [notes], Cutting(size=40))
    assert (changed.unchanged, changed.passages, changed.removed) == (1, 1, 1)
    assert sorted(hit.text for hit in index.search("富士山と琵琶湖")) == [
        "富士山は高い。", "琵琶湖は深い。",
    ]  # fmt: skip


def test_another_size_cuts_everything_again(index: Index, notes: Path):
    update(index, [notes], Cutting(size=40))
    summary = update(index, [notes], Cutting(size=20))
    assert (summary.unchanged, len(index)) == (0, 1 + 5)


def test_a_file_that_would_now_be_read_another_way_is_read_again(index, notes, monkeypatch):
    update(index, [notes])
    monkeypatch.setattr("konayuki.search.ingest._READING", 0)
    assert update(index, [notes]).unchanged == 0


def test_files_that_are_gone_are_dropped_when_asked(index: Index, notes: Path):
    update(index, [notes])
    (notes / "a.md").unlink()
    assert update(index, [notes]).removed == 0
    assert len(index) == 2
    assert update(index, [notes], prune=True).removed == 1
    assert [hit.metadata["path"] for hit in index.search("富士山")] == [
        (notes / "b.txt").as_posix()
    ]


def test_a_file_in_a_folder_that_cannot_be_read_is_reported(index: Index, notes: Path):
    (notes / "c.txt").write_bytes(b"\0\1")
    (notes / "d.jsonl").write_text('{"id": "x", "text": "a", "position": -1}', "utf-8")
    summary = update(index, [notes])
    assert "c.txt: holds zero bytes" in summary.skipped[0]
    assert (len(summary.skipped), summary.files, len(index)) == (2, 2, 2)
    with pytest.raises(FormatError, match=r"c\.txt"):
        update(index, [notes / "c.txt"])


def test_the_summary_says_what_was_left_out_or_changed(index: Index, notes: Path):
    rows = [{"id": "r", "text": "山", "path": "x"}, {"id": "r", "text": "川"}, {"text": ""}]
    (notes / "x.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    for name in ("a.pdf", "b.pdf", "c.json", "LICENSE", ".hidden.pdf"):
        (notes / name).write_text("?", "utf-8")
    summary = update(index, [notes])
    assert summary.ignored == {"": 1, ".json": 1, ".pdf": 2}
    assert (summary.files, summary.passages, summary.empty, len(index)) == (3, 3, 1, 3)
    name = (notes / "x.jsonl").as_posix()
    assert summary.warnings == [
        f"{name}: 'path' of 1 rows gave way to the path of the file",
        f"{name}: id 'r' more than once: the last row counts",
    ]


def test_a_record_that_grows_into_passages_replaces_itself(index: Index, notes: Path):
    path = notes / "x.jsonl"
    path.write_text('{"id": "r", "text": "短い。"}', "utf-8")
    update(index, [path], Cutting(size=10))
    path.write_text('{"id": "r", "text": "長い文になった。もう一つの文。"}', "utf-8")
    update(index, [path], Cutting(size=10))
    assert sorted(index.ids({"path": path.as_posix()})) == ["r#0", "r#1"]
    path.write_text('{"id": "r", "text": "短い。"}', "utf-8")
    update(index, [path], Cutting(size=10))
    assert index.ids({"path": path.as_posix()}) == ["r"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_reported(index: Index, notes: Path):
    (notes / "a.md").chmod(0)
    assert "a.md cannot be read" in update(index, [notes]).skipped[0]
