"""Whole files, and the lock of a folder's writer."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from konayuki.errors import InputError, WriteError
from konayuki.files import FileLock, reading_hint, replace_file, replacing


def refusal(holder: str) -> InputError:
    return InputError(f"held by {holder}")


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"old")
    replace_file(path, "新")

    assert path.read_text("utf-8") == "新"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    replace_file(path, b"old")

    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert temporary.suffix == ".npy"  # numpy would add it, and write another file


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    first, second = (FileLock(tmp_path / "lock", refusal) for _ in range(2))
    first.acquire()

    with pytest.raises(InputError, match=str(os.getpid())):
        second.acquire()

    first.release()
    second.acquire()
    assert second.held and not first.held
    second.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from konayuki.files import FileLock
lock = FileLock(Path(sys.argv[1]), RuntimeError)
lock.acquire()
if os.fork() == 0:
    time.sleep(30)
lock.release()
FileLock(Path(sys.argv[1]), RuntimeError).acquire()
print("free", flush=True)
os.killpg(0, 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "lock")],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )

    assert done.stdout == "free\n"


def test_a_hint_says_who_can_let_us_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "my notes"
    note.mkdir()
    quoted = shlex.quote(str(note))
    assert reading_hint(note) == f"hint: chmod -R u+rX {quoted}"
    monkeypatch.setattr(os, "geteuid", lambda: note.stat().st_uid + 1)
    hint = reading_hint(note)
    assert hint.startswith("hint: it belongs to ")
    assert hint.endswith(f" who can let everybody read it: chmod -R a+rX {quoted}")
    assert "chmod" not in reading_hint(tmp_path / "nothing")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="none is not a folder: expected an existing one"):
        replace_file(tmp_path / "none" / "a.txt", "text")
