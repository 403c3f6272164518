"""Any file of an index may be hurt: a right answer comes back, or an error names the file."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from konayuki.choices import MODES
from konayuki.errors import KonayukiError
from konayuki.search import Hit, Index
from search.corpus import queries, records
from search.stand_in import HashEncoder

MODEL = HashEncoder()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def fill_with_noise(path: Path) -> None:
    size = max(path.stat().st_size, 100)
    path.write_bytes(np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8).tobytes())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "i"
    with Index.create(folder, MODEL) as index:
        index.add([*records(120), *records(10, seed=9)])
        index.delete(["d3", "d77"])
    return folder


def answers(folder: Path) -> list[list[tuple[str, str]]]:
    with Index.open(folder, MODEL) as index:
        assert len(index) == 118
        found: list[list[Hit]] = [
            index.search(query, 10, mode) for query in queries(4) for mode in MODES
        ]
    return [[(hit.id, hit.text) for hit in hits] for hits in found]


def same_up_to_statistics(found: list, expected: list) -> bool:
    """Dense answers are the same; a rebuild forgets the dead, which moves BM25 by a little."""
    overlaps = [len({*a} & {*b}) / max(len(b), 1) for a, b in zip(found, expected, strict=True)]
    dense = [found[n] == expected[n] for n, _ in enumerate(found) if MODES[n % 3] == "dense"]
    return all(dense) and min(overlaps) >= 0.7


def names(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


@pytest.mark.parametrize(
    "hurt",
    [
        fill_with_noise,
        *(
            pytest.param(hurt, marks=pytest.mark.slow)
            for hurt in (empty, halve, flip_a_byte, Path.unlink)
        ),
    ],
)
def test_a_damaged_file_is_rebuilt_or_named(
    whole: Path, tmp_path: Path, hurt: Callable[[Path], None]
):
    expected = answers(whole)
    n_rebuilt = 0
    for name in names(whole):
        folder = Path(shutil.copytree(whole, tmp_path / "copy", dirs_exist_ok=True))
        hurt(folder / name)
        try:
            found = answers(folder)
        except KonayukiError as error:
            assert name == "documents.db" and name in str(error), name
        else:
            assert same_up_to_statistics(found, expected), name
            assert answers(folder) == found, name
            n_rebuilt += 1
        shutil.rmtree(folder)
    assert n_rebuilt >= len(names(whole)) - 1


def test_missing_derived_folders_are_rebuilt(whole: Path, tmp_path: Path):
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    shutil.rmtree(folder / "lexical")
    shutil.rmtree(folder / "vectors")
    (folder / "index.json").unlink()
    assert same_up_to_statistics(answers(folder), answers(whole))
    assert (folder / "index.json").read_bytes() == (whole / "index.json").read_bytes()


def test_parts_of_an_earlier_time_catch_up(whole: Path, tmp_path: Path):
    old = Path(shutil.copytree(whole, tmp_path / "old"))
    new = Path(shutil.copytree(whole, tmp_path / "new"))
    with Index.open(new, MODEL) as index:
        index.add([{"id": "late", "text": "遅れて届いた文書"}])
        index.delete(["d5"])
    for part in ("lexical", "vectors"):
        mixed = Path(shutil.copytree(new, tmp_path / f"mixed-{part}"))
        shutil.rmtree(mixed / part)
        shutil.copytree(old / part, mixed / part)
        with Index.open(mixed, MODEL) as index:
            for mode in MODES:
                assert index.search("遅れて届いた文書", 1, mode)[0].id == "late"
                assert "d5" not in {hit.id for hit in index.search("日本", 200, mode)}


def test_parts_of_a_later_time_than_the_documents_are_rebuilt(whole: Path, tmp_path: Path):
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    with Index.open(folder, MODEL) as index:
        index.add([{"id": "late", "text": "遅れて届いた文書"}])
    shutil.copy(whole / "documents.db", folder / "documents.db")
    assert same_up_to_statistics(answers(folder), answers(whole))
