"""Bars and lines about long work."""

import io
import sys

import pytest

from konayuki import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every look at the clock 25 seconds later than the one before."""
    seconds = iter(range(0, 10_000, 25))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))


@pytest.mark.usefixtures("clock")
def test_a_log_gets_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track(range(8), "train", total=8, unit="step")) == list(range(8))
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    # The third look after the start is the first after a minute; then every third.
    assert [line.split(" [")[0] for line in lines] == ["train:  25% 2/8", "train:  62% 5/8"]
    assert "[01:15<" in lines[0]
    assert not captured.out


def test_short_work_leaves_a_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track("abc", "train")) == list("abc")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("clock")
def test_what_is_not_wanted_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track("abcdef", "train", enabled=False)) == list("abcdef")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_and_lines_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for item in progress.track("ab", "train", total=2, unit="step"):
        progress.say(f"at {item}")
    written = terminal.getvalue()
    assert "train:   0%|" in written
    assert "at a\n" in written
    assert "at b\n" in written


def test_files_are_counted_with_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.tqdm.mininterval", 0, raising=False)
    for _ in progress.track_files(["a", "b"], "index", [1024, 1 << 20]):
        progress.say("")
    written = terminal.getvalue()
    assert "index:   0%|" in written
    assert "/1.00M " in written
    assert "1/2 files" in written


@pytest.mark.usefixtures("clock")
def test_files_get_a_line_a_minute_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track_files("abcdef", "index", [2048] * 6)) == list("abcdef")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "files" in lines[0]
    assert "/12.0k" in lines[0]
    assert list(progress.track_files("ab", "index", [1, 1], enabled=False)) == ["a", "b"]
