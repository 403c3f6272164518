"""An index follows files."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from konayuki.errors import FormatError, InputError, MissingExtraError
from konayuki.ingest import Cutting, update
from konayuki.search import Index
from search.stand_in import HashEncoder


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
    monkeypatch.setattr("konayuki.ingest.indexing._READING", 0)
    assert update(index, [notes]).unchanged == 0


def test_files_that_are_gone_from_a_folder_that_is_named_are_dropped(index: Index, notes: Path):
    update(index, [notes])
    (notes / "a.md").unlink()
    assert update(index, [notes / "b.txt"]).removed == 0
    assert len(index) == 2
    summary = update(index, [notes])
    assert (summary.removed, summary.gone, summary.moved) == (1, 1, {})
    assert [hit.metadata["path"] for hit in index.search("富士山")] == [
        (notes / "b.txt").as_posix()
    ]


def test_an_empty_folder_may_be_a_disk_that_is_not_mounted(index: Index, notes: Path):
    update(index, [notes])
    for path in notes.iterdir():
        path.unlink()
    summary = update(index, [notes])
    assert (summary.gone, len(index)) == (0, 2)
    assert "no file is left of 2: their passages stay\nhint: --prune" in summary.warnings[0]
    assert update(index, [notes], prune=True).gone == 2
    assert len(index) == 0


@pytest.mark.parametrize("prune", [True, False])
def test_a_file_that_is_renamed_moves(index: Index, notes: Path, prune: bool):
    update(index, [notes])
    (notes / "sub").mkdir()
    (notes / "a.md").rename(notes / "sub" / "山.md")
    (notes / "b.txt").rename(notes / "z.txt")
    summary = update(index, [notes], prune=prune)
    names = {f"{notes.as_posix()}/{old}": f"{notes.as_posix()}/{new}"
             for old, new in (("a.md", "sub/山.md"), ("b.txt", "z.txt"))}  # fmt: skip
    assert (summary.moved, summary.gone, summary.removed) == (names, 0, 0)
    assert sorted(index.values("path")) == sorted(names.values())
    assert set(index.sources()) == set(names.values())
    assert update(index, [notes], prune=prune).unchanged == 2


def test_a_file_that_comes_from_a_folder_that_is_not_named_moves(index: Index, notes: Path):
    update(index, [notes])
    other = notes.parent / "other"
    other.mkdir()
    (notes / "a.md").rename(other / "a.md")
    assert len(update(index, [other]).moved) == 1
    assert len(index) == 2


def test_a_copy_is_no_move(index: Index, notes: Path):
    update(index, [notes])
    (notes / "c.md").write_bytes((notes / "a.md").read_bytes())
    assert update(index, [notes]).moved == {}
    (notes / "a.md").unlink()
    (notes / "d.md").write_bytes((notes / "c.md").read_bytes())
    (notes / "e.md").write_bytes((notes / "c.md").read_bytes())
    summary = update(index, [notes])
    assert list(summary.moved.values()) == [(notes / "d.md").as_posix()]
    assert len(index) == 4


def test_rows_with_ids_of_their_own_move_with_their_file(index: Index, pair):
    update(index, [pair[0].parent])
    pair[0].rename(pair[0].with_name("c.jsonl"))
    summary = update(index, [pair[0].parent])
    assert (len(summary.moved), summary.removed) == (1, 0)
    assert set(texts(index)) == {"1", "2", "own"}


def aged(folder: Path) -> None:
    """Make the files of a folder old enough for their times to tell of every change."""
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def test_files_whose_times_have_not_changed_are_not_read(index: Index, notes: Path, monkeypatch):
    aged(notes)
    monkeypatch.setattr("konayuki.ingest.walk._COARSEST_CLOCK_S", 0.0)
    update(index, [notes])
    monkeypatch.setattr("konayuki.ingest.indexing.read_regular", None)
    assert update(index, [notes]).unchanged == 2
    monkeypatch.undo()
    (notes / "b.txt").write_text("琵琶湖は深い。" * 10, "utf-8")  # of the same size
    aged(notes)  # as tools do that keep the time of what they copy
    assert update(index, [notes]).unchanged == 1


def test_a_file_that_was_only_touched_is_read_once(index: Index, notes: Path, monkeypatch):
    monkeypatch.setattr("konayuki.ingest.walk._COARSEST_CLOCK_S", 0.0)
    update(index, [notes])
    generation = index.info()["generation"]
    aged(notes)
    assert update(index, [notes]).unchanged == 2
    assert index.info()["generation"] == generation
    monkeypatch.setattr("konayuki.ingest.indexing.read_regular", None)
    assert update(index, [notes]).unchanged == 2


def test_what_has_just_changed_is_looked_at_again(index: Index, notes: Path):
    update(index, [notes])
    assert {source.stamp for source in index.sources().values()} == {""}


def test_only_what_is_asked_for_is_looked_at(index: Index, notes: Path):
    update(index, [notes])
    for name in ("a.md", "b.txt"):
        (notes / name).unlink()
    for name in ("c.md", "d.md", ".e.md", "sub/f.md", "sub/g.md"):
        (notes / name).parent.mkdir(exist_ok=True)
        (notes / name).write_text(f"新しい{name}", "utf-8")
    places = [notes.resolve() / name for name in ("a.md", "c.md", ".e.md", "sub", "nothing")]
    summary = update(index, [notes], only=places)
    assert (summary.files, summary.gone) == (3, 1)
    names = sorted(Path(name).name for name in index.sources())
    assert names == ["b.txt", "c.md", "f.md", "g.md"]


def test_what_is_done_stays_after_an_interruption(index: Index, tmp_path: Path, monkeypatch):
    for n in range(20):
        (tmp_path / f"{n:02}.txt").write_text(f"第{n}の文。", "utf-8")
    monkeypatch.setattr("konayuki.ingest.storing._BATCH_FILES", 5)
    reads = iter(range(12))

    def read(*arguments: object) -> bytes:
        if next(reads, None) is None:
            raise KeyboardInterrupt
        return Path(str(arguments[0])).read_bytes()

    monkeypatch.setattr("konayuki.ingest.indexing.read_regular", read)
    with pytest.raises(KeyboardInterrupt):
        update(index, [tmp_path])
    assert len(index) == 10
    monkeypatch.undo()
    assert update(index, [tmp_path]).passages == 10


def test_files_that_are_there_are_kept_whatever_was_named(index: Index, notes: Path):
    update(index, [notes / "a.md", notes / "b.txt"])
    assert update(index, [notes / "a.md"], prune=True).removed == 0
    assert len(index) == 2
    (notes / "b.txt").unlink()
    assert update(index, [notes / "a.md"], prune=True).removed == 1
    assert update(index, [notes / "a.md"], prune=True).removed == 0


def test_relative_names_are_looked_for_where_they_were_meant(index: Index, notes, monkeypatch):
    monkeypatch.chdir(notes.parent)
    update(index, [Path("notes")])
    elsewhere = notes.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.txt").write_text("浜名湖", "utf-8")
    monkeypatch.chdir(elsewhere)
    assert update(index, [Path("c.txt")], prune=True).removed == 0
    assert len(index) == 3
    (notes / "a.md").unlink()
    assert update(index, [Path("c.txt")], prune=True).removed == 1
    # All of it moved, and named as before: only what really went is dropped.
    notes.rename(elsewhere / "notes")
    assert update(index, [Path("c.txt")], prune=True).removed == 0


def test_an_index_that_did_not_note_where_files_lay_keeps_what_it_cannot_judge(
    index: Index, notes, monkeypatch
):
    monkeypatch.chdir(notes.parent)
    update(index, [Path("notes")])
    with sqlite3.connect(notes.parent / "index" / "documents.db") as connection:
        connection.execute("DROP TABLE places")
    connection.close()
    assert {source.place for source in index.sources().values()} == {""}
    (notes / "b.txt").unlink()
    assert update(index, [notes / "a.md"], prune=True).removed == 0
    assert update(index, [Path("notes")], prune=True).removed == 1


def rows(path: Path, *records: tuple[str, str]) -> Path:
    lines = [json.dumps({"id": key, "text": text}) for key, text in records]
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "z"
    folder.mkdir()
    first = rows(folder / "a.jsonl", ("1", "富士山"), ("own", "北岳"))
    (folder / "b.csv").write_text("id,text\n1,琵琶湖\n2,浜名湖\n", "utf-8")
    return first, folder / "b.csv"


def texts(index: Index) -> dict[str, str]:
    return {hit.id: hit.text for hit in index.search("富士山と湖と北岳", 50, "dense")}


def test_an_id_belongs_to_the_file_that_had_it_first(index: Index, pair):
    summary = update(index, [pair[0].parent])
    assert (summary.passages, len(index)) == (3, 3)
    names = [path.as_posix() for path in pair]
    assert summary.warnings == [f"{names[1]}: id '1' left out: {names[0]} had it first"]
    assert texts(index) == {"1": "富士山", "own": "北岳", "2": "浜名湖"}
    again = update(index, [pair[0].parent])
    assert again.warnings == summary.warnings
    assert texts(index)["1"] == "富士山"
    assert update(index, [pair[1]]).warnings == summary.warnings


@pytest.mark.parametrize("folder", [True, False])
def test_a_row_that_was_left_out_comes_when_the_other_file_goes(index: Index, pair, folder: bool):
    update(index, [pair[0].parent])
    pair[0].unlink()
    named = pair[0].parent if folder else pair[1]
    summary = update(index, [named])
    assert summary.warnings == []
    found = texts(index)
    assert found["1"] == "琵琶湖"
    assert ("own" in found) != folder
    assert update(index, [named]).unchanged == 1


def test_the_first_file_is_whole_when_the_other_goes(index: Index, pair):
    update(index, [pair[0].parent])
    pair[1].unlink()
    update(index, [pair[0].parent], prune=True)
    assert texts(index) == {"1": "富士山", "own": "北岳"}


@pytest.mark.parametrize("winner", [0, 1])
def test_a_row_that_was_left_out_comes_when_the_other_file_drops_the_id(index, pair, winner: int):
    update(index, [pair[winner]])
    update(index, [pair[0].parent])
    if winner:
        pair[1].write_text("id,text\n2,浜名湖\n", "utf-8")
    else:
        rows(pair[0], ("own", "北岳"))
    summary = update(index, [pair[0].parent])
    assert (summary.warnings, summary.files) == ([], 2)
    assert texts(index) == {"1": ("琵琶湖", "富士山")[winner], "own": "北岳", "2": "浜名湖"}
    assert update(index, [pair[0].parent]).unchanged == 2


@pytest.mark.parametrize("reverse", [False, True])
def test_a_record_may_move_to_another_file(index: Index, tmp_path: Path, reverse: bool):
    old, new = sorted([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], reverse=reverse)
    rows(old, ("1", "富士山"), ("2", "湖"))
    rows(new, ("3", "川"))
    update(index, [tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    rows(old, ("2", "湖"))
    rows(new, ("3", "川"), ("1", "富士山"))
    summary = update(index, [tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert summary.warnings == []
    assert texts(index) == {"1": "富士山", "2": "湖", "3": "川"}


def test_one_file_under_two_names_takes_its_ids_from_itself(index: Index, pair, monkeypatch):
    monkeypatch.chdir(pair[0].parent)
    update(index, [Path("a.jsonl")])
    assert update(index, [pair[0]]).warnings == []
    assert update(index, [Path("a.jsonl")], prune=True).removed == 0
    assert texts(index) == {"1": "富士山", "own": "北岳"}


def test_a_long_row_is_left_out_whole(index: Index, tmp_path: Path):
    first = rows(tmp_path / "a.jsonl", ("r", "一つの文である。二つの文である。"))
    second = rows(tmp_path / "b.jsonl", ("r", "三つの文である。四つの文である。五つの文である。"))
    summary = update(index, [first, second], Cutting(size=10))
    assert summary.warnings == [
        f"{second.as_posix()}: id 'r' left out: {first.as_posix()} had it first"
    ]
    assert sorted(index.ids({"path": first.as_posix()})) == ["r#0", "r#1"]
    assert (len(index), summary.passages) == (2, 2)


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
    for name in ("a.zip", "b.zip", "c.bin", "LICENSE", ".hidden.zip"):
        (notes / name).write_text("?", "utf-8")
    summary = update(index, [notes])
    assert summary.ignored == {"": 1, ".bin": 1, ".zip": 2}
    assert (summary.files, summary.passages, summary.empty, len(index)) == (3, 3, 1, 3)
    name = (notes / "x.jsonl").as_posix()
    assert summary.warnings == [
        f"{name}: 'path' was replaced by the path of the file in 1 row",
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


def test_one_folder_by_any_spelling_of_its_path_is_one_folder(index: Index, notes, monkeypatch):
    monkeypatch.chdir(notes.parent)
    update(index, [Path("notes")])
    ids = sorted(index.ids({"path": ["notes/a.md", "notes/b.txt"]}))
    link = notes.parent / "link"
    if os.name != "nt":
        link.symlink_to(notes)
    for working, path in [
        (".", notes),
        ("notes", "."),
        ("notes", "../notes"),
        (".", "./link/../notes"),
    ]:
        monkeypatch.chdir(notes.parent / working)
        summary = update(index, [Path(path)], prune=True)
        assert (summary.unchanged, summary.passages, summary.removed) == (2, 0, 0)
    (notes / "a.md").write_text("# 川\n信濃川は長い。", "utf-8")
    update(index, [Path()])
    assert sorted(index.ids({"path": ["notes/a.md", "notes/b.txt"]})) == ids
    assert len(index) == len(ids)


def test_two_files_with_one_relative_name_are_two_files(index: Index, notes, monkeypatch):
    other = notes.parent / "other"
    other.mkdir()
    (other / "a.md").write_text("琵琶湖", "utf-8")
    monkeypatch.chdir(notes)
    update(index, [Path("a.md")])
    monkeypatch.chdir(other)
    update(index, [Path("a.md")])
    assert set(index.sources()) == {"a.md", (other / "a.md").as_posix()}
    assert len(index) == 2


def test_a_bad_row_costs_the_row(index: Index, notes: Path):
    lines = ['{"text": "富士山"}', "{bad", '{"id": 1}', '{"text": "琵琶湖"}', "[]", "5"]
    path = notes / "x.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    (notes / "y.csv").write_text('id,text\n1,山\n2\n3,"a"b\n4,川\n', "utf-8")
    summary = update(index, [path, notes / "y.csv"])
    assert (summary.passages, summary.bad_rows, summary.skipped) == (4, 6, [])
    warning = summary.warnings[0]
    assert "x.jsonl: 4 rows left out" in warning
    assert "x.jsonl line 2: not JSON" in warning
    assert "(first 3 of 4)" in warning
    path.write_text("{bad", "utf-8")
    with pytest.raises(FormatError, match="line 1: not JSON"):
        update(index, [path])


def test_passages_without_a_note_of_their_file_are_pruned(index: Index, notes: Path):
    update(index, [notes])
    index.remember_sources({(notes / "a.md").as_posix(): None})  # as if a run had been killed
    (notes / "a.md").unlink()
    index.add([{"id": "own", "text": "自分の", "metadata": {"path": "elsewhere/a.md"}}])
    assert update(index, [notes], prune=True).removed == 1
    assert sorted(index.ids({"path": [(notes / "a.md").as_posix(), "elsewhere/a.md"]})) == ["own"]


def test_one_file_that_the_index_refuses_costs_only_itself(index: Index, notes: Path):
    (notes / "c.txt").write_text("\ufdfa" * 100_000, "utf-8")
    summary = update(index, [notes], Cutting(size=50_000))
    assert "c.txt#0: " in summary.skipped[0]
    assert (len(summary.skipped), len(index)) == (1, 2)


def test_old_and_new_passages_of_a_file_are_never_seen_together(index: Index, notes: Path):
    update(index, [notes])
    before = index.info()["generation"]
    (notes / "a.md").write_text("# 川\n信濃川は長い。", "utf-8")
    assert update(index, [notes]).passages == 1
    assert index.info()["generation"] == before + 1


def test_paths_may_be_strings_but_not_one_string(fresh, tmp_path: Path):
    (tmp_path / "a.txt").write_text("富士山は高い。", "utf-8")
    with Index.open(fresh(), HashEncoder()) as index:
        assert update(index, [str(tmp_path / "a.txt")]).passages == 1
        with pytest.raises(InputError, match="expected a list of paths"):
            update(index, str(tmp_path))


def test_files_whose_extra_is_missing_are_named_once(index: Index, notes: Path, monkeypatch):
    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"{module!r} is not installed\nhint: pip install '.[{extra}]'")

    monkeypatch.setattr("konayuki.ingest.pdf.require", missing)
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        (notes / name).write_bytes(b"%PDF-1.4")
    summary = update(index, [notes])
    assert summary.files == 2
    (reason,) = summary.skipped
    assert "a.pdf and 2 more: 'pypdfium2' is not installed\nhint: pip install '.[doc" in reason
