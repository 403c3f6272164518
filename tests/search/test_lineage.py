"""Which index, which commit and which analyser a part was made from."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from konayuki.choices import MODES
from konayuki.search import Index
from konayuki.search.terms import ANALYZER_VERSION
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = HashEncoder()
FORMAT_1 = Path(__file__).parent / "data" / "format-1"


def answers(folder: Path, model: HashEncoder = MODEL, *, read_only: bool = False) -> list:
    with Index.open(folder, model, read_only=read_only) as index:
        queries = ("日本の富士山は高い", "新しい左の記事", "新しい右の記事", "茶")
        hits = [index.search(query, 5, mode) for query in queries for mode in MODES]
        return [[(hit.id, hit.text) for hit in found] for found in hits]


@pytest.fixture
def diverged(tmp_path: Path) -> tuple[Path, Path]:
    """Two indexes restored from one backup, each with as many writes since."""
    backup = tmp_path / "backup"
    with Index.create(backup, MODEL) as index:
        index.add(records(20))
    folders = []
    for name in ("左", "右"):
        folder = Path(shutil.copytree(backup, tmp_path / name))
        with Index.open(folder, MODEL) as index:
            for number in range(3):
                index.add([{"id": f"new{number}", "text": f"新しい{name}の記事{number}"}])
            index.delete(["d1" if name == "左" else "d2"])
        folders.append(folder)
    return folders[0], folders[1]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("part", ["documents.db", "lexical", "vectors"])
def test_a_part_of_another_history_is_made_again(
    diverged: tuple[Path, Path], tmp_path: Path, part: str, read_only: bool
):
    left, right = diverged
    mixed = Path(shutil.copytree(left, tmp_path / "mixed"))
    if part == "documents.db":
        shutil.copy(right / part, mixed / part)
    else:
        shutil.rmtree(mixed / part)
        shutil.copytree(right / part, mixed / part)
    expected = answers(right if part == "documents.db" else left)
    assert same_documents(answers(mixed, read_only=read_only), expected)


def test_documents_of_an_unrelated_index_are_not_taken_for_ours(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 2)):
        with Index.create(tmp_path / name, MODEL) as index:
            index.add(records(25, seed))
    expected = answers(tmp_path / "a")
    shutil.copy(tmp_path / "a" / "documents.db", tmp_path / "b" / "documents.db")
    assert same_documents(answers(tmp_path / "b"), expected)


def same_documents(found: list, expected: list) -> bool:
    """Dense answers are the same; a rebuild forgets the dead, which moves BM25 by a little."""
    pairs = list(zip(found, expected, strict=True))
    overlaps = [len({*a} & {*b}) / len({*a} | {*b}) for a, b in pairs if a or b]
    dense = [a == b for n, (a, b) in enumerate(pairs) if MODES[n % 3] == "dense"]
    return all(dense) and min(overlaps) >= 0.6


def test_every_index_has_a_number_of_its_own(fresh, tmp_path: Path):
    numbers = set()
    for name in ("a", "b"):
        with Index.create(tmp_path / name, MODEL) as index:
            numbers.add(index.info()["id"])
        assert json.loads((tmp_path / name / "index.json").read_text())["index_id"] in numbers
    assert len(numbers) == 2


@pytest.mark.parametrize("read_only", [False, True])
def test_terms_of_another_analyser_are_made_again(
    fresh, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, read_only: bool
):
    folder = fresh()
    with monkeypatch.context() as patch:
        patch.setattr("konayuki.search.lexical.terms_of", lambda text: terms_of(text[::-1]))
        from konayuki.search.terms import terms_of

        with Index.open(folder, MODEL) as index:
            index.add([{"id": "1", "text": "富士山"}])
            assert index.search("富士", mode="lexical") == []
    for name in ("derived", "lexical", "settings"):
        monkeypatch.setattr(f"konayuki.search.{name}.ANALYZER_VERSION", ANALYZER_VERSION + 1)
    defaults = (0, 0, 0, 0, ANALYZER_VERSION + 1)
    monkeypatch.setattr("konayuki.search.lexical.Mark.__new__.__defaults__", defaults)
    with caplog.at_level(logging.WARNING), Index.open(folder, MODEL, read_only=read_only) as index:
        found = [hit.id for hit in index.search("富士", mode="lexical")]
        version = index.info()["analyzer_version"]
    before, after = ANALYZER_VERSION, ANALYZER_VERSION + 1
    assert (found, version) == (([], before) if read_only else (["1"], after))
    assert "version" in caplog.text and "analyser" in caplog.text


def test_an_index_of_format_1_opens_and_becomes_one_of_format_2(tmp_path: Path):
    folder = Path(shutil.copytree(FORMAT_1, tmp_path / "i"))
    model = HashEncoder(32)
    with Index.open(folder, model, read_only=True) as index:
        assert (len(index), index.info()["format_version"], index.info()["id"]) == (30, 1, "")
        before = [hit.id for hit in index.search("日本の富士山", 10, "dense")]
        assert before and "d3" not in before
    with Index.open(folder, model) as index:
        info = index.info()
        versions = (info["format_version"], info["analyzer_version"])
        assert (len(index), *versions) == (30, 2, ANALYZER_VERSION)
        assert [hit.id for hit in index.search("日本の富士山", 10, "dense")] == before
        assert index.search("浦和", 1, "lexical")[0].id == "wrapped"
        index.add([{"id": "new", "text": "新着"}])
        assert index.search("新着", 1)[0].id == "new"
    with Index.open(folder, model) as index:
        assert len(index) == 31
        assert index.info()["id"] == info["id"]
    assert json.loads((folder / "index.json").read_text())["format_version"] == 2


def test_a_writer_whose_lock_file_was_removed_takes_turns(fresh):
    """The second writer must not leave documents that neither half finds."""
    folder = fresh()
    first = Index.open(folder, MODEL)
    first.add([{"id": "a", "text": "最初の文書"}])
    (folder / "writer.lock").unlink()
    refused = 0
    second = Index.open(folder, MODEL)
    for number in range(4):
        for name, index in (("first", first), ("second", second)):
            try:
                index.add([{"id": f"{name}{number}", "text": f"文書{name}{number}"}])
            except RuntimeError:
                refused += 1
    first.close()
    second.close()
    with Index.open(folder, MODEL) as index:
        for mode in MODES:
            assert len(index.search("文書", 100, mode)) == len(index)
    assert refused > 0
