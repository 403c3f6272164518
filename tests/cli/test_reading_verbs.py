"""The verbs get, status and watch, and --open."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from konayuki.cli import main
from konayuki.errors import KonayukiError
from konayuki.ingest.opening import open_file


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("notes")
    (folder / "sub").mkdir(parents=True)
    text = "# 富士山\n一合目の話。\n\n## 高さ\n富士山は3776メートルである。\n\n## 湖\n五つある。\n"
    (folder / "fuji.md").write_text(text, "utf-8")
    (folder / "sub" / "rows.csv").write_text(
        "月,内容\n四月,入学式の写真を現像に出した。\n五月,連休は山に登って温泉に入った。\n"
        "六月,雨が多く傘を二本も失くした。\n",
        "utf-8",
    )
    (folder / "a.zip").write_bytes(b"PK")
    (folder / "bad.json").write_text("{", "utf-8")
    assert main(["index", "notes", "--out", "i"]) == 1
    return folder


@pytest.fixture
def read(notes: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()

    def run(*arguments: str) -> str:
        assert main([*arguments]) == 0
        return capsys.readouterr().out

    return run


def test_a_passage_is_shown_with_its_neighbours(read):
    assert read("get", "i", "notes/fuji.md#1").split("\n") == [
        "富士山  notes/fuji.md:2", "一合目の話。", "",
        "富士山 > 高さ  notes/fuji.md:5", "富士山は3776メートルである。", "",
        "富士山 > 湖  notes/fuji.md:8", "五つある。", "", "",
    ]  # fmt: skip
    (line,) = read("get", "i", "notes/fuji.md#1", "--neighbours", "0", "--json").splitlines()
    assert json.loads(line)["text"] == "富士山は3776メートルである。"


@pytest.mark.parametrize(
    ("where", "texts"),
    [
        ("fuji.md:6", ["一合目の話。", "富士山は3776メートルである。", "五つある。"]),
        ("notes/fuji.md:1", ["一合目の話。", "富士山は3776メートルである。"]),
        ("notes/sub/../fuji.md:99", ["富士山は3776メートルである。", "五つある。"]),
        ("rows.csv:2", ["入学式の写真を現像に出した。", "連休は山に登って温泉に入った。"]),
        ("notes/fuji.md", ["一合目の話。", "富士山は3776メートルである。", "五つある。"]),
    ],
)
def test_a_file_and_a_line_lead_to_a_passage(read, where: str, texts: list[str]):
    lines = read("get", "i", where, "--json").splitlines()
    assert [json.loads(line)["text"].split("内容: ")[-1] for line in lines] == texts


def test_what_is_not_there_or_not_clear_is_an_error(read, notes: Path, capsys):
    assert main(["get", "i", "nothing.md:3"]) == 1
    assert (
        "expected the id of a passage, the path of a file, or PATH:LINE" in capsys.readouterr().err
    )
    (notes / "sub" / "fuji.md").write_text("別の山", "utf-8")
    main(["index", "notes", "--out", "i"])
    assert main(["get", "i", "fuji.md"]) == 2
    assert "fits 2 files: notes/fuji.md, notes/sub/fuji.md" in capsys.readouterr().err
    assert main(["get", "i", "notes/fuji.md", "--neighbours", "-1"]) == 2


def test_the_status_says_what_is_there_and_what_was_left_out(read):
    facts = json.loads(read("status", "i", "--json"))
    assert (facts["files"], facts["passages"]) == (2, 6)
    assert facts["kinds"] == {"Markdown": 1, "CSV": 1}
    (look,) = facts["looks"]
    assert (look["paths"], look["ignored"]) == ([Path("notes").resolve().as_posix()], {".zip": 1})
    assert "bad.json: not JSON" in look["skipped"][0]
    assert {"model", "dim", "analyzer_version", "bytes"} <= facts.keys()
    shown = read("status", "i")
    assert "2 files, 6 passages" in shown
    assert "left out: 1 of another kind (.zip)\n  skipped: notes/bad.json: not JSON" in shown


def test_the_last_look_at_a_folder_is_the_one_that_is_told(read, notes: Path):
    (notes / "bad.json").unlink()
    (notes / ".hidden.md").write_text("x", "utf-8")
    main(["index", "notes/fuji.md", "--out", "i"])
    read("index", "notes", "--out", "i")
    looks = json.loads(read("status", "i", "--json"))["looks"]
    assert [look["left_out"] for look in looks] == [{}, {"hidden": 1}]
    assert looks[1]["skipped"] == []


def test_hits_are_opened_with_the_program_of_the_system(read, notes: Path, monkeypatch):
    opened: list[Path] = []
    monkeypatch.setattr("konayuki.ingest.opening.open_file", opened.append)
    monkeypatch.setattr("konayuki.cli.get.open_file", opened.append)
    read("search", "i", "富士山の高さ", "--open")
    read("get", "i", "rows.csv:3", "--open")
    assert opened == [(notes / "fuji.md").resolve(), (notes / "sub" / "rows.csv").resolve()]
    (notes / "fuji.md").unlink()
    assert main(["get", "i", "notes/fuji.md", "--open"]) == 1


def test_only_files_of_known_kinds_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(KonayukiError, match="expected a file of a kind that is read"):
        open_file(tmp_path / "a.desktop")
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(KonayukiError, match="xdg-open is not installed"):
        open_file(tmp_path / "a.md")
    monkeypatch.setattr("shutil.which", lambda name: "/bin/false")
    with pytest.raises(KonayukiError, match="cannot be opened: exit code 1"):
        open_file(tmp_path / "a.md")


def test_a_file_is_no_option_of_the_opener_and_source_code_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("subprocess.run", run)
    for system in ("linux", "darwin"):
        monkeypatch.setattr("sys.platform", system)
        open_file(Path("--version.md"))
        open_file(Path("a.sh"))
    note, script = str(tmp_path / "--version.md"), str(tmp_path / "a.sh")
    assert commands == [
        ["/bin/xdg-open", note],
        ["/bin/xdg-open", script],
        ["/bin/open", note],
        ["/bin/open", "-t", script],
    ]


def test_the_watch_says_what_it_does_until_it_is_interrupted(
    notes: Path, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("watchfiles")
    command = [sys.executable, "-m", "konayuki", "watch", "notes", "--out", "i"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        try:
            assert run.stdout.readline() == "i: 6 passages; watching, Ctrl-C ends it\n"
            start = time.monotonic()
            (notes / "new.md").write_text("新しい覚え書き。", "utf-8")
            assert "1 new passage, 0 removed" in run.stdout.readline()
            assert time.monotonic() - start < 20
            (notes / "new.md").rename(notes / "old.md")
            assert "notes/new.md -> notes/old.md" in run.stdout.readline()
        finally:
            run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert run.stderr is not None and "Traceback" not in run.stderr.read()
    capsys.readouterr()
    assert main(["search", "i", "新しい覚え書き", "-k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["path"] == "notes/old.md"
    assert main(["index", "notes", "--out", "i", "--json"]) == 1  # bad.json; nobody holds the lock
    again = json.loads(capsys.readouterr().out)
    assert (again["passages"], again["removed"], again["documents"]) == (0, 0, 7)


def test_the_watch_may_be_interrupted_while_it_reads(notes: Path, capsys):
    pytest.importorskip("watchfiles")
    for number in range(300):
        (notes / f"{number}.md").write_text(f"第{number}の記録。" * 200, "utf-8")
    command = [sys.executable, "-m", "konayuki", "watch", "notes", "--out", "new"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        while not Path("new/documents.db").exists():
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert run.stderr is not None and "Traceback" not in run.stderr.read()
    capsys.readouterr()
    assert main(["index", "notes", "--out", "new"]) == 1  # bad.json
    assert main(["search", "new", "第299の記録", "-k", "1", "--json"]) == 0
    assert "notes/299.md" in capsys.readouterr().out
