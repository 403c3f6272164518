"""kill -9 of `konayuki index --prune`: files are there whole or not at all, and none for ever."""

import os
import random
import re
import sys
import time
from pathlib import Path

import pytest

from killed import commands
from konayuki.choices import MODES
from konayuki.ingest import update
from konayuki.search import Index

# The full size is 250 kills, a quarter of those in tests/search/test_kill.py.
KILLS = int(os.environ.get("KONAYUKI_KILLS", "200")) // 4
PASSAGE = re.compile(r"v(\d+) part (\d+) of (\d+)。")
SMALL_BATCHES = """
import konayuki.ingest.storing, konayuki.search.derived
konayuki.ingest.storing._BATCH_RECORDS = 6
konayuki.search.derived._DEAD_AT_LEAST = 15
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def change_files(folder: Path, version: int, source: random.Random) -> None:
    """Write some files anew, and remove others."""
    for _ in range(source.randint(1, 12)):
        path = folder / f"f{source.randrange(16)}.txt"
        if path.exists() and source.random() < 0.4:
            path.unlink()
            continue
        n_parts = source.randint(1, 8)
        parts = [f"富士山の記事 v{version} part {n} of {n_parts}。" for n in range(n_parts)]
        path.write_text("\n\n".join(part + "説明が続く。" * 40 for part in parts), "utf-8")


def stored(index: Index) -> dict[str, tuple[str, str]]:
    """Return the text and path of every passage, after a look at it from all sides."""
    n_passages = len(index)
    hits = index.search("富士山の記事", 1000, "dense")
    by_words = index.search("富士山の記事", 1000, "lexical")
    assert len(hits) == n_passages and {hit.id for hit in by_words} <= {hit.id for hit in hits}
    for hit in by_words:
        document = index.get(hit.id)
        assert document is not None and document.text == hit.text
    return {hit.id: (hit.text, str(hit.metadata["path"])) for hit in hits}


def check_whole(index: Index) -> None:
    """Every file that the index knows is there in one version, with all parts of it."""
    by_path: dict[str, set[tuple[str, ...]]] = {}
    for text, path in stored(index).values():
        by_path.setdefault(path, set()).update(PASSAGE.findall(text))
    assert by_path.keys() == index.sources().keys()
    for parts in by_path.values():
        versions = {(version, n_parts) for version, _, n_parts in parts}
        assert len(versions) == 1, f"old and new together: {parts}"
        assert {int(n) for _, n, _ in parts} == set(range(int(versions.pop()[1])))


def check_like_new(index: Index, files: Path, fresh: Path) -> None:
    with Index.create(fresh) as new:
        update(new, [files])
        assert stored(index) == stored(new)
        for mode in MODES:
            question = "富士山の記事 part 1"
            found = {hit.id for hit in index.search(question, 1000, mode)}
            assert found == {hit.id for hit in new.search(question, 1000, mode)}


def kill_again_and_again(tmp_path: Path, n_kills: int, seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 - the same moments in every run
    files, folder = tmp_path / "files", tmp_path / "i"
    files.mkdir()
    arguments = ("index", str(files), "--out", str(folder), "--prune", "--no-progress")
    killed = version = 0
    with commands("konayuki.ingest", "konayuki.cli.index", prepare=SMALL_BATCHES) as konayuki:
        change_files(files, version, source)
        konayuki.start(*arguments)
        whole = konayuki.end()
        assert whole.code == 0
        while killed < n_kills:
            version += 1
            change_files(files, version, source)
            konayuki.start(*arguments)
            time.sleep(source.uniform(0, 1.1 * whole.seconds))
            end = konayuki.kill()
            killed += end.code == -9
            with Index.open(folder) as index:
                check_whole(index)
            if source.random() < 0.3:
                konayuki.start(*arguments)
                whole = konayuki.end()
                assert whole.code == 0
                with Index.open(folder) as index:
                    check_like_new(index, files, tmp_path / f"new{version}")


def test_a_killed_update_leaves_files_whole(tmp_path: Path):
    kill_again_and_again(tmp_path, 3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
def test_an_update_that_is_killed_again_and_again_ends_like_a_new_index(tmp_path: Path, seed: int):
    kill_again_and_again(tmp_path, KILLS // 5, seed)
