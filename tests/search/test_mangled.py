"""Anything may be done to the files of an index: a right answer or one of our errors follows."""

import os
import random
import shutil
import sys
from pathlib import Path

import pytest

from konayuki.choices import MODES
from konayuki.errors import KonayukiError
from konayuki.model import StaticModel
from konayuki.search import Index
from search.corpus import records

MODEL = StaticModel.load()  # with rows of tokens, so that there are files of them
# The full size is 10000, which takes 20 minutes on two cores, and less on a file system in memory
# (--basetemp=/dev/shm/...). Rights mean something only to a process without root's capabilities:
# setpriv --bounding-set=-dac_override,-dac_read_search,-fowner.
CASES = int(os.environ.get("KONAYUKI_MANGLED_CASES", "1600"))
SEEDS = 8
QUERY = "日本の富士山は高い"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "i"
    with Index.create(folder, MODEL) as index:
        index.add(records(12))
        index.delete(["d3"])
    return folder


def is_own(path: Path) -> bool:
    """Whether we may write to it ourselves: another mangler may have linked or locked it."""
    if not os.access(path.parent, os.R_OK | os.W_OK | os.X_OK) or path.parent.is_symlink():
        return False
    linked = path.is_symlink() or not os.access(path, os.R_OK | os.W_OK)
    return not linked and path.is_file() and path.stat().st_nlink == 1


def bytes_changed(path: Path, source: random.Random, outside: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(source.randint(1, 8)):
        if content:
            content[source.randrange(len(content))] = source.randrange(256)
    path.write_bytes(content)


def cut(path: Path, source: random.Random, outside: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: source.randint(0, len(content))])


def longer(path: Path, source: random.Random, outside: Path) -> None:
    path.write_bytes(path.read_bytes() + source.randbytes(source.randint(1, 5000)))


def another_type(path: Path, source: random.Random, outside: Path) -> None:
    path.unlink()
    source.choice([path.mkdir, lambda: os.mkfifo(path)])()


def linked(path: Path, source: random.Random, outside: Path) -> None:
    path.unlink()
    target = source.choice(sorted(outside.iterdir()))
    if source.random() < 0.3 and path.name != "documents.db":
        path.hardlink_to(target)
    else:
        path.symlink_to(source.choice([target, outside, path, Path("/dev/zero"), "nowhere"]))


def parent_linked(path: Path, source: random.Random, outside: Path) -> None:
    is_part = path.parent.name in ("lexical", "vectors", "tokens")
    if is_part and os.access(path.parent.parent, os.W_OK | os.X_OK):
        shutil.rmtree(path.parent)
        path.parent.symlink_to(outside)


def forbidden(path: Path, source: random.Random, outside: Path) -> None:
    """Nothing to root, who may do anything."""
    path.chmod(source.choice([0, 0o200, 0o400]))


def parent_forbidden(path: Path, source: random.Random, outside: Path) -> None:
    path.parent.chmod(source.choice([0, 0o200, 0o300, 0o400, 0o500]))


def give_rights_back(folder: Path) -> None:
    for path in (folder, *(folder / name for name in ("lexical", "vectors", "tokens"))):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)


def another_json(path: Path, source: random.Random, outside: Path) -> None:
    values = ["null", "[]", "{}", "1.5", '"x"', "[" * 50_000, "NaN", "1e999", "9" * 5000, "-1"]
    text = path.read_bytes().decode("latin-1")
    numbers = [n for n in range(len(text)) if text[n].isdigit()]
    if path.suffix != ".json" or not numbers or source.random() < 0.2:
        path.write_text(source.choice(values))
    else:
        place = source.choice(numbers)
        text = text[:place] + source.choice(values) + text[place + 1 :]
        path.write_bytes(text.encode("latin-1"))


def swapped(path: Path, source: random.Random, outside: Path) -> None:
    files = [file for file in path.parent.iterdir() if is_own(file) and file != path]
    if not files:
        return
    other = source.choice(sorted(files))
    content, others = path.read_bytes(), other.read_bytes()
    path.write_bytes(others)
    other.write_bytes(content)


MANGLERS = (
    bytes_changed, cut, longer, another_type, linked, parent_linked, forbidden, parent_forbidden,
    another_json, swapped,
)  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def use(folder: Path, *, read_only: bool) -> str:
    """Search, and write if that is allowed; return what happened."""
    try:
        with Index.open(folder, MODEL, read_only=read_only) as index:
            for mode in MODES:
                hits = index.search(QUERY, 20, mode)
                assert all(hit.id.startswith("d") and hit.id != "d3" for hit in hits)
            assert len(index) == 11
            if not read_only:
                index.add([{"id": "dnew", "text": "まったく新しい記事"}])
                for mode in MODES:
                    assert index.search("まったく新しい記事", 1, mode)[0].id == "dnew"
                index.delete(["dnew"])
    except KonayukiError as error:
        return f"{type(error).__name__}: {error}"
    return "right"


def mangle_and_use(whole: Path, work: Path, n_cases: int, seed: int) -> dict[str, int]:
    source = random.Random(seed)  # noqa: S311 - the same cases in every run
    outcomes: dict[str, int] = {}
    outside = work / "outside"
    outside.mkdir()
    for name in ("7.codes", f"{'b' * 32}.idx", ".bashrc", "state.json", "meta.json"):
        (outside / name).write_bytes(b"of the user\n")
    before = contents(outside)
    names = sorted(
        path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()
    )
    for number in range(n_cases):
        folder = Path(shutil.copytree(whole, work / f"i{number}"))
        for _ in range(source.choice([1, 1, 1, 2, 3])):
            name, mangle = source.choice(names), source.choice(MANGLERS)
            path = folder / name
            if is_own(path):
                mangle(path, source, outside)
        read_only = source.random() < 0.3
        outcome = use(folder, read_only=read_only)
        if outcome == "right" and not read_only:  # what was repaired stays so
            assert use(folder, read_only=False) == "right", (seed, number)
        kind = outcome.partition(":")[0]
        outcomes[kind] = outcomes.get(kind, 0) + 1
        assert contents(outside) == before, (seed, number)
        give_rights_back(folder)
        shutil.rmtree(folder)
    return outcomes


def test_mangled_files_give_a_right_answer_or_our_error(whole: Path, tmp_path: Path):
    outcomes = mangle_and_use(whole, tmp_path, 25, seed=0)
    assert outcomes["right"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_many_mangled_files_give_a_right_answer_or_our_error(
    whole: Path, tmp_path: Path, seed: int
):
    n_cases = CASES // SEEDS
    outcomes = mangle_and_use(whole, tmp_path, n_cases, seed)
    assert outcomes["right"] > n_cases / 2
