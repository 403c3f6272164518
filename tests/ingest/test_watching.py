"""An index follows files while they change."""

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from konayuki.errors import KonayukiError, NotFoundError
from konayuki.ingest import Summary, update
from konayuki.ingest.watching import watch
from konayuki.search import Index
from search.stand_in import HashEncoder

pytest.importorskip("watchfiles")
PATIENCE_S = 20.0  # of a busy machine; a save takes a quarter of a second on an idle one


@contextmanager
def watching(index: Index, *paths: Path, **settings: object) -> Iterator[list[Summary]]:
    """Watch in a thread, from the end of the first update on."""
    stop, started = threading.Event(), threading.Event()
    summaries: list[Summary] = []
    errors: list[BaseException] = []

    def follow() -> None:
        try:
            for summary in watch(index, paths, stop=stop, **settings):
                summaries.append(summary)
                started.set()
        except BaseException as error:
            errors.append(error)
            started.set()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert started.wait(PATIENCE_S)
        yield summaries
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    if errors:
        raise errors[0]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(index: Index) -> dict[str, tuple[str, str]]:
    """Return title and text of every passage, by its id."""
    ids = [key for path in index.values("path") for key in index.ids({"path": path})]
    documents = filter(None, map(index.get, ids))
    return {document.id: (document.title, document.text) for document in documents}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("# 山\n富士山は高い。", "utf-8")
    return folder


def test_saves_moves_and_deletions_show_up(fresh, folder: Path):
    path = fresh("notes/i.konayuki")  # its own changes must not wake it
    with (
        Index.open(path, HashEncoder()) as index,
        Index.open(path, HashEncoder(), read_only=True) as reader,
        watching(index, folder) as summaries,
    ):
        (folder / "b.txt").write_text("琵琶湖は広い。", "utf-8")
        eventually(lambda: len(reader) == 2)
        (folder / "sub").mkdir()
        (folder / "a.md").rename(folder / "sub" / "山.md")
        eventually(lambda: (folder / "sub" / "山.md").as_posix() in reader.values("path"))
        assert len(reader) == 2
        (folder / "sub").rename(folder / "other")
        eventually(lambda: (folder / "other" / "山.md").as_posix() in reader.values("path"))
        (folder / ".hidden.md").write_text("隠れた文。", "utf-8")
        (folder / "b.txt").unlink()
        eventually(lambda: len(reader) == 1)
        assert {len(summary.moved) for summary in summaries[1:]} >= {0, 1}
        time.sleep(1.0)  # the system may still tell of what was done above
        n_updates = len(summaries)
        time.sleep(1.0)
        assert len(summaries) == n_updates


def test_patterns_that_change_are_followed(fresh, folder: Path):
    with Index.open(fresh(), HashEncoder()) as index:
        (folder / ".gitignore").write_text("*.txt\n", "utf-8")
        with watching(index, folder):
            (folder / "b.txt").write_text("琵琶湖は広い。", "utf-8")
            (folder / "c.md").write_text("浜名湖。", "utf-8")
            eventually(lambda: len(index) == 2)
            (folder / ".gitignore").write_text("", "utf-8")
            eventually(lambda: len(index) == 3)


def test_a_file_that_was_named_is_followed_through_replacement(fresh, folder: Path):
    note = folder / "a.md"
    with Index.open(fresh(), HashEncoder()) as index, watching(index, note) as summaries:
        (folder / "b.txt").write_text("琵琶湖は広い。", "utf-8")
        (folder / "new").write_text("# 川\n信濃川は長い。", "utf-8")
        (folder / "new").replace(note)  # as editors save
        eventually(lambda: "信濃川は長い。" in str(state(index)))
        note.write_bytes(b"\0\1")
        eventually(lambda: "zero bytes" in str(summaries[-1].skipped))
        note.unlink()
        eventually(lambda: len(index) == 0)
        note.write_text("山", "utf-8")
        eventually(lambda: len(index) == 1)


def test_a_folder_that_goes_and_comes_back_is_watched_again(fresh, folder: Path):
    away = folder.with_name("away")
    with Index.open(fresh(), HashEncoder()) as index, watching(index, folder):
        folder.rename(away)  # as a disk that is not mounted for a while
        time.sleep(0.6)
        away.rename(folder)
        (folder / "b.txt").write_text("琵琶湖は広い。", "utf-8")
        eventually(lambda: len(index) == 2)
        (folder / "b.txt").unlink()
        eventually(lambda: len(index) == 1)


def test_a_folder_may_be_polled(fresh, folder: Path):
    with Index.open(fresh(), HashEncoder()) as index, watching(index, folder, poll=True):
        (folder / "b.txt").write_text("琵琶湖は広い。", "utf-8")
        eventually(lambda: len(index) == 2)


def test_what_cannot_be_watched_is_said(fresh, folder: Path, monkeypatch: pytest.MonkeyPatch):
    with Index.open(fresh(), HashEncoder()) as index:
        with pytest.raises(NotFoundError, match="nothing does not exist"):
            next(watch(index, [folder / "nothing"]))

        def refuse(*_: object, **__: object) -> None:
            raise OSError("OS file watch limit reached")

        monkeypatch.setattr("watchfiles.watch", refuse)
        with pytest.raises(KonayukiError, match="limit reached\nhint: --poll"):
            next(watch(index, [folder]))


ACTIONS = ("save", "save", "edit", "rename", "move", "delete", "folder")


def changed_at_random(folder: Path, n_files: int, random_numbers: random.Random) -> None:
    """Save, rename, move and delete files, in bursts."""
    for step in range(n_files * 3):
        files = [path for path in folder.rglob("*.md") if path.is_file()]
        place = folder / random_numbers.choice(("", "甲", "乙", "甲/丙"))
        place.mkdir(parents=True, exist_ok=True)
        action = random_numbers.choice(
            ("save", "save", "edit", "rename", "move", "delete", "folder")
        )
        some = random_numbers.choice(files) if files else None
        if action == "save" or some is None:
            (place / f"{step}.md").write_text(f"# 題{step}\n第{step}の文。", "utf-8")
        elif action == "edit":
            some.write_text(f"# 改{step}\n書き直した第{step}の文。", "utf-8")
        elif action == "rename":
            some.rename(some.with_name(f"r{step}.md"))
        elif action == "move":
            shutil.move(some, place / f"m{step}.md")
        elif action == "delete" and len(files) > 5:
            some.unlink()
        elif action == "folder" and (folder / "甲" / "丙").is_dir():
            (folder / "甲" / "丙").rename(folder / f"丁{step}")
        if random_numbers.random() < 0.05:
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_an_index_that_followed_equals_one_that_is_made_anew(fresh, folder: Path, seed: int):
    with Index.open(fresh("followed"), HashEncoder()) as index:
        with watching(index, folder):
            changed_at_random(folder, 200, random.Random(seed))  # noqa: S311
            with Index.open(fresh("anew"), HashEncoder()) as anew:
                update(anew, [folder])
                expected = state(anew)
            eventually(lambda: state(index) == expected)
            assert len(expected) > 50
        assert update(index, [folder]).passages == 0
