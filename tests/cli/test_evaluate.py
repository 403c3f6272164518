"""`konayuki evaluate` and `konayuki card` as a person types them."""

import csv
import json
from pathlib import Path

import pytest

from evaluation.layouts import CORPUS, write_beir
from evaluation.tiny_model import save_tiny_model
from konayuki.cli import main


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_tiny_model(tmp_path / "model"))


def test_the_table_goes_to_stdout_and_the_files_hold_the_same(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, table = write_beir(tmp_path / "lakes"), tmp_path / "s.json", tmp_path / "s.csv"
    options = [
        "--dims",
        "32, 8",
        "--mode",
        "dense,lexical",
        "--json",
        str(out),
        "--csv",
        str(table),
    ]

    assert main(["evaluate", model, "--data", str(data), *options]) == 0

    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[0].startswith("32 ")
    scores = json.loads(out.read_text(encoding="utf-8"))
    values = [one["metrics"] for one in scores["results"]]
    lines = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert float(lines[1]["cosine_ndcg@10"]) == values[1]["cosine_ndcg@10"]
    assert f"{values[2]['bm25_ndcg@10']:.4f}" in printed.out
    assert scores["model"] == model


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--dims", "512"], 2, "512"),
        (["--dims", "x"], 2, "--dims: 'x': expected a whole number above 0"),
        (["--mode", "magic"], 2, "mode is 'magic'"),
        (["--sets", "sea"], 2, "there is no set 'sea': expected one of lakes"),
        (["--queries", "-3"], 2, "--queries: '-3': expected a whole number above 0"),
    ],
)
def test_wrong_usage_ends_with_a_line_and_code_2(
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    data = write_beir(tmp_path / "lakes")

    assert main(["evaluate", model, "--data", str(data), *options]) == code

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("konayuki evaluate: ") and message in printed.err


def test_a_bad_row_ends_with_code_1_and_passes_where_asked_to(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_beir(tmp_path / "lakes", corpus=[*CORPUS, {"_id": "d4", "text": ""}])

    assert main(["evaluate", model, "--data", str(data)]) == 1
    assert "lakes/corpus.jsonl line 4: the text of 'd4' is empty" in capsys.readouterr().err

    assert main(["evaluate", model, "--data", str(data), "--lenient"]) == 0
    assert capsys.readouterr().err == "lakes: corpus: empty texts dropped: 1\n"


def test_fewer_questions(model: str, tmp_path: Path) -> None:
    data, out = write_beir(tmp_path / "lakes"), tmp_path / "scores.json"

    assert main(["evaluate", model, "--data", str(data), "--queries", "1", "--json", str(out)]) == 0

    assert json.loads(out.read_text(encoding="utf-8"))["results"][0]["n_queries"] == 1
