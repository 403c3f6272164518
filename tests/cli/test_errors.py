"""What the system refuses is told in a line with the path, and ends with exit code 1."""

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from konayuki import files, progress
from konayuki.cli import main
from konayuki.cli.main import shell_message
from konayuki.errors import InputError
from konayuki.extras import install_line

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("富士山\n図書館\n", "utf-8")
    (tmp_path / "rows.jsonl").write_text('{"text": "富士山"}\n{"text": "富士山"}\n', "utf-8")
    return tmp_path


COMMANDS = {
    "index": ["index", "lines.txt", "--out"],
    "encode": ["encode", "lines.txt", "--out"],
    "export": ["export", "--out"],
    "quantize": ["quantize", "small", "--out"],
    "embed": ["embed", "rows.jsonl", "--workers", "1", "--out"],
    "dedup": ["dedup", "rows.jsonl", "--out"],
    "cluster": ["cluster", "rows.jsonl", "-k", "1", "--out"],
}


def small_model() -> None:
    from model.samples import small_model

    small_model().save("small", layout="float")


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("out", ["/dev/null", "lines.txt/below", "/proc/nobody/x", "/dev/null/x"])
def test_a_place_that_cannot_be_made_is_told_in_a_line(
    texts: Path, capsys: pytest.CaptureFixture[str], verb: str, out: str
) -> None:
    if verb == "quantize":
        small_model()
    if verb == "embed":
        pytest.importorskip("pyarrow")
    suffix = ".jsonl" if verb in {"dedup", "cluster"} and out != "/dev/null" else ""

    assert main([*COMMANDS[verb], out + suffix]) in {1, 2}

    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith((f"konayuki {verb}: ", "hint: "))
    assert any(place in line for line in lines for place in (out, str(Path(out).parent)))
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "command", [*COMMANDS.values(), ["search"], ["serve"], ["mcp", "--create"]]
)
def test_an_empty_place_is_not_the_working_folder(
    texts: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    before = sorted(texts.iterdir())

    with pytest.raises(SystemExit, match="2"):
        main([*command, ""])

    assert ": '': expected a path" in capsys.readouterr().err
    assert sorted(texts.iterdir()) == before


def test_no_permission_is_told_with_the_path(
    texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)

    for verb in ("index", "export"):
        assert main([*COMMANDS[verb], "new"]) == 1
        line = capsys.readouterr().err.splitlines()[0]
        assert line.startswith(f"konayuki {verb}: ")
        assert "new: Permission denied" in line and "Errno" not in line


@pytest.mark.parametrize("verb", ["encode", "dedup", "cluster"])
def test_a_full_disk_is_told_with_the_path_and_leaves_the_old_file(
    texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_sync", fail)
    out = Path("old.jsonl")
    out.write_text("old", "utf-8")

    assert main([*COMMANDS[verb], str(out)]) == 1

    assert "cannot write old.jsonl: No space left on device" in capsys.readouterr().err
    assert out.read_text("utf-8") == "old"
    assert not list(texts.glob(".*partial*"))


def test_a_full_disk_under_a_model_folder_is_told_with_its_path(
    texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)

    assert main(["export", "--out", "new"]) == 1

    message = "konayuki export: cannot write new: No space left on device\n"
    assert capsys.readouterr().err == message
    assert not list(Path("new").iterdir())


def test_an_input_that_cannot_be_read_is_not_said_of_the_output(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading() -> None:
        raise OSError(errno.EIO, "Input/output error", "input.txt")

    with pytest.raises(OSError, match=r"input\.txt"), files.replacing(Path("out.txt")):
        reading()


def run(*arguments: str, stdout: int | io.IOBase) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "konayuki", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True)


@needs_full
def test_a_full_disk_under_stdout_is_told_in_a_line() -> None:
    with FULL.open("w") as full:
        done = run("info", stdout=full)
    assert (done.returncode, done.stderr) == (1, "konayuki info: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise")
def test_a_reader_that_leaves_ends_the_run_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("info", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_folder_is_no_table(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dedup", "."]) == 1
    err = capsys.readouterr().err
    assert err.startswith("konayuki dedup: . is a folder: expected one file (.parquet")
    assert "konayuki index" in err


def test_a_table_comes_from_stdin(
    texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO((texts / "rows.jsonl").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)

    assert main(["dedup", "-", "--json"]) == 0

    (group,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert [member["row"] for member in group["members"]] == [0, 1]


def test_progress_can_be_turned_off(
    texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", -1.0)

    def lines(*options: str) -> str:
        assert main(["encode", "lines.txt", "--out", "v.npy", *options]) == 0
        return capsys.readouterr().err

    assert "encode: 1" in lines().replace("encode:1", "encode: 1")
    assert lines("--no-progress") == "v.npy: 2 x 512 float32\n"


@pytest.mark.parametrize(
    ("arguments", "prepare"),
    [
        (["index", "lines.txt", "--out", "."], None),
        (["index", "nowhere", "--out", "i"], None),
        (["search", "nowhere", "富士山"], None),
        (["info", "nowhere"], None),
        (["dedup", "rows.jsonl", "--column", "no"], None),
        (["card", "small"], small_model),
        (["evaluate", "bundled", "--data", "nowhere"], None),
    ],
)
def test_hints_of_the_command_line_name_no_python(
    texts: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    prepare: Callable[[], None] | None,
) -> None:
    if prepare is not None:
        prepare()
    assert main(arguments) in {1, 2}
    message = capsys.readouterr().err
    assert not any(name in message for name in ("Index.", "StaticModel", ".save(", ".open("))


def test_only_hints_for_python_are_left_out() -> None:
    error = InputError("i: exists\nhint: Index.open adds to it")
    assert shell_message(error) == "i: exists"
    error = InputError(f"x is not installed\nhint: {install_line('serve')}")
    assert shell_message(error) == str(error)
