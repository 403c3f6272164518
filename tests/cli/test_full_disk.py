"""Commands on a full disk: the message names it, and nothing that was stored is lost."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.live import ROOT, command

SIZE = "size=6m"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a small file system is mounted"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", folder], check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip("mounting asks for root")
    yield folder
    subprocess.run(["umount", folder], check=True)  # noqa: S607


@pytest.fixture
def many_files(tmp_path: Path) -> Path:
    source = random.Random(0)  # noqa: S311 - the same texts in every run
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(200):
        sentences = [f"富士山{source.random()}の高さ。" for _ in range(200)]
        (folder / f"{number}.txt").write_text("".join(sentences), "utf-8")
    return folder


def konayuki(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    program = command(*map(str, arguments))
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def check_refused(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "room on the disk" in done.stderr or "No space left on device" in done.stderr
    assert "backup" not in done.stderr


def fill(disk: Path) -> Path:
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def test_an_index_that_does_not_fit_says_so_and_goes_on_elsewhere(
    small_disk: Path, many_files: Path, tmp_path: Path
):
    index = small_disk / "i"
    check_refused(konayuki("index", many_files, "--out", index, "--no-progress"))
    searched = konayuki("search", index, "富士山")
    if searched.returncode:
        check_refused(searched)
    larger = Path(shutil.copytree(index, tmp_path / "larger"))
    done = konayuki("index", many_files, "--out", larger, "--no-progress")
    assert done.returncode == 0, done.stderr
    assert "from 200 files" in konayuki("index", many_files, "--out", tmp_path / "new").stdout
    counts = {konayuki("info", folder).stdout.split("documents")[1].split()[0]
              for folder in (larger, tmp_path / "new")}  # fmt: skip
    assert len(counts) == 1


def test_a_disk_that_fills_up_keeps_what_was_stored(small_disk: Path, many_files: Path):
    index = small_disk / "i"
    assert konayuki("index", ROOT / "demo/corpus", "--out", index).returncode == 0
    before = konayuki("search", index, "眠れない夜", "--json").stdout
    filling = fill(small_disk)
    check_refused(konayuki("index", many_files / "1.txt", "--out", index))
    searched = konayuki("search", index, "眠れない夜", "--json")
    if searched.returncode:
        check_refused(searched)
    filling.unlink()
    assert konayuki("search", index, "眠れない夜", "--json").stdout == before
    assert konayuki("index", many_files / "1.txt", "--out", index).returncode == 0


def test_files_are_written_whole_or_not_at_all(small_disk: Path, tmp_path: Path):
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"富士山 {number}" for number in range(5000)), "utf-8")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(f'{{"text": "富士山 {number}"}}' for number in range(50)), "utf-8")
    vectors = small_disk / "v.npy"
    vectors.write_bytes(b"old")
    check_refused(konayuki("encode", lines, "--out", vectors))
    assert vectors.read_bytes() == b"old"
    check_refused(konayuki("export", "--out", small_disk / "e", "--layout", "float"))
    fill(small_disk)
    check_refused(konayuki("index", ROOT / "demo/corpus", "--out", small_disk / "n"))
    check_refused(konayuki("dedup", rows, "--out", small_disk / "d.jsonl"))
    assert {path.name for path in small_disk.iterdir() if path.is_file()} == {"v.npy", "filling"}
