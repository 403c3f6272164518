"""The files of a build: the same for the same documents, written once, swept when unnamed."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from konayuki.errors import DimensionError, InputError, WriteError
from konayuki.search import Document
from konayuki.site import Settings, Summary
from konayuki.site import build_site as build_with
from serving.tiny import DIM, tiny_model

FUJI = Document(id="a", text="富士山は日本でいちばん高い山です。", title="山")
BIWA = Document(id="b", text="琵琶湖は日本でいちばん広い湖です。", title="湖")


TINY = tiny_model()
NARROW = Settings(dim=DIM)


def build_site(documents: Iterable[Document], out: Path, settings: Settings = NARROW) -> Summary:
    return build_with(documents, out, TINY, settings)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_documents_in_any_order_give_the_same_bytes(tmp_path: Path):
    build_site([FUJI, BIWA], tmp_path / "1")
    build_site([BIWA, FUJI], tmp_path / "2")

    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_second_build_writes_nothing_and_a_change_only_what_it_changes(tmp_path: Path):
    first = build_site([FUJI, BIWA], tmp_path)
    before = contents(tmp_path)
    second = build_site([FUJI, BIWA], tmp_path)
    third = build_site([FUJI, replace(BIWA, text="湖は静かです。")], tmp_path)
    after = contents(tmp_path)
    manifest = json.loads(after["manifest.json"])

    assert first.written == first.files == len(before)
    assert (second.written, second.removed) == (0, 0)
    assert 0 < third.removed < third.files
    assert len(after) == third.files
    assert manifest["model"]["file"] in before
    assert manifest["vectors"]["file"] not in before


def test_files_of_others_in_the_folder_stay(tmp_path: Path):
    build_site([FUJI], tmp_path)
    kept = [tmp_path / "model-notes.bin", tmp_path / "words-0123456789abcdef" / "readme.txt"]
    kept[1].parent.mkdir()
    for path in kept:
        path.write_text("x", encoding="utf-8")
    build_site([BIWA], tmp_path)

    assert all(path.exists() for path in kept)


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path):
    target = tmp_path / "precious"
    target.write_text("x", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").symlink_to(target)

    with pytest.raises(WriteError, match="link"):
        build_site([FUJI], out)
    assert target.read_text(encoding="utf-8") == "x"


def test_what_cannot_be_built_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="two documents have the id 'a'"):
        build_site([FUJI, FUJI], tmp_path)
    with pytest.raises(InputError, match="bits is 2"):
        Settings(bits=2)
    for dim in (127, 16, 100_000):
        with pytest.raises(DimensionError, match=f"{dim} dimensions"):
            build_site([FUJI], tmp_path, settings=Settings(dim=dim))


def test_no_documents_make_a_site_that_finds_nothing(tmp_path: Path, ask):
    summary = build_site([], tmp_path)
    answer = ask(tmp_path, questions=["富士山"], words=["富士山", "山", ""], k=5)

    assert summary.passages == 0
    assert answer["hits"] == [[]]
    assert answer["words"] == [[], [], []]


def test_a_folder_of_ours_that_is_a_link_is_not_written_through(tmp_path: Path):
    out, other = tmp_path / "out", tmp_path / "other"
    build_site([FUJI], out)
    other.mkdir()
    [words] = out.glob("words-*")
    shutil.rmtree(words)
    words.symlink_to(other)

    with pytest.raises(WriteError, match="not a link"):
        build_site([FUJI], out)
    assert not list(other.iterdir())
