"""`konayuki bench`: what it prints; the times themselves are never tested."""

import json
from pathlib import Path

import pytest

from konayuki.cli import main
from konayuki.model import StaticModel


def test_every_kind_of_built_in_texts_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--texts", "20", "--rounds", "1"]) == 0

    questions, passages = capsys.readouterr().out.splitlines()
    assert questions.startswith("questions: ") and passages.startswith("passages: ")
    assert all("texts/s" in line and "tokens/s" in line for line in (questions, passages))


def test_the_texts_of_a_file_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.txt"
    path.write_text("富士山\n\n琵琶湖\n", "utf-8")

    assert main(["bench", str(path), "--rounds", "1", "--json"]) == 0

    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    n_tokens = int(StaticModel.load().tokenize(["富士山", "琵琶湖"]).offsets[-1])
    assert (line["kind"], line["texts"], line["tokens"]) == ("texts", 2, n_tokens)
    assert line["tokens_per_s"] == pytest.approx(line["texts_per_s"] * n_tokens / 2, rel=0.01)
    assert line["one_text_us"] > 0


@pytest.mark.parametrize("options", [["--threads", "0"], ["--texts", "0"], ["--rounds", "0"]])
def test_a_number_below_one_is_wrong_usage(options: list[str]) -> None:
    assert main(["bench", *options]) == 2


def test_a_file_without_texts_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.txt").write_text("\n", "utf-8")

    assert main(["bench", str(tmp_path / "empty.txt")]) == 2
    assert "holds no texts: expected one per line" in capsys.readouterr().err
