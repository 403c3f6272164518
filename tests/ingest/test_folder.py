"""A folder as people have it: the file that answers is among the first three hits."""

import shutil
from pathlib import Path

import pytest

from ingest.folder_files import questions, write_folder
from konayuki.ingest import update
from konayuki.ingest.kinds import KINDS, kind_of
from konayuki.search import Index

pytest.importorskip("pypdfium2")
AT_LEAST = 0.9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "folder"
    write_folder(folder)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path):
    with Index.create(folder.with_name("i")) as index:
        summary = update(index, [folder])
        assert summary.skipped == []
        assert summary.ignored == {}
        yield index


def test_the_folder_has_every_kind(folder: Path):
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {kind.name for path in files if (kind := kind_of(path.name))}
    assert len(files) >= 60
    assert kinds == {kind.name for kind in KINDS}


def test_the_file_that_answers_is_among_the_first_three(index: Index, folder: Path):
    asked = questions()
    missed = [
        one["question"]
        for one in asked
        if (folder / one["file"]).as_posix()
        not in [hit.metadata["path"] for hit in index.search(one["question"], 3)]
    ]
    assert len(asked) >= 40
    assert len(missed) <= (1 - AT_LEAST) * len(asked), missed


def test_reading_the_folder_again_changes_nothing(index: Index, folder: Path):
    summary = update(index, [folder])
    assert (summary.unchanged, summary.passages) == (summary.files, 0)


def test_a_folder_that_moved_as_a_whole_is_the_same_folder(folder: Path, tmp_path: Path):
    first = tmp_path / "a"
    shutil.copytree(folder, first)
    with Index.create(tmp_path / "i") as index:
        update(index, [first])
        n_passages = len(index)
        first.rename(tmp_path / "b")
        summary = update(index, [tmp_path / "b"])
        assert len(index) == n_passages
        assert len(summary.moved) == summary.files
