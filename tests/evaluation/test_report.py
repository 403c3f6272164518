"""What a person sees, what a program reads, under the names of the card."""

import csv
import io
import json

import pytest

from konayuki.evaluation.dense import SetScores, Setting
from konayuki.evaluation.report import Report, as_csv, as_dict, as_json, as_table, from_dict

DENSE, CUT, WORDS = Setting("dense", 512, 4), Setting("dense", 128, 4), Setting("lexical")


def metrics(value: float) -> dict[str, float]:
    names = ("accuracy@1", "accuracy@10", "recall@10", "ndcg@10", "mrr@10", "map@100")
    return dict.fromkeys(names, value)


@pytest.fixture
def report() -> Report:
    scores = (
        SetScores("山", DENSE, metrics(0.5), 10, 100),
        SetScores("山", CUT, metrics(0.25), 10, 100),
        SetScores("山", WORDS, {**metrics(0.75), "graded_ndcg@10": 0.7}, 10, 100),
        SetScores("lakes", DENSE, metrics(0.7), 20, 200),
        SetScores("lakes", CUT, metrics(0.35), 20, 200),
        SetScores("pairs", DENSE, {"pearson_cosine": 0.81, "spearman_cosine": 0.8}, 3, 0),
    )
    return Report("some/model", scores)


def test_the_mean_is_over_the_retrieval_sets_of_a_setting(report: Report) -> None:
    assert report.mean(DENSE)["ndcg@10"] == pytest.approx(0.6)
    assert report.mean(WORDS)["ndcg@10"] == 0.75
    assert "graded_ndcg@10" not in report.mean(WORDS)
    assert report.mean(Setting("hybrid", 512)) == {}


def test_names_are_those_of_the_card(report: Report) -> None:
    results = as_dict(report)["results"]

    assert list(results[0]["metrics"])[3] == "cosine_ndcg@10"
    assert "bm25_ndcg@10" in results[2]["metrics"]
    assert set(results[5]["metrics"]) == {"pearson_cosine", "spearman_cosine"}


def test_json_reads_back_as_the_same_report(report: Report) -> None:
    assert from_dict(json.loads(as_json(report))) == report


def test_csv_has_a_line_a_set_and_setting_and_the_means(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))

    assert [(line["set"], line["mode"], line["dim"]) for line in lines[-3:]] == [
        ("mean", "dense", "512"),
        ("mean", "dense", "128"),
        ("mean", "lexical", ""),
    ]
    assert lines[0]["cosine_ndcg@10"] == "0.5"
    assert float(lines[-3]["cosine_ndcg@10"]) == pytest.approx(0.6)
    assert lines[5]["spearman_cosine"] == "0.8"


def test_the_table_of_a_terminal(report: Report) -> None:
    table = as_table(report)

    assert table.splitlines() == [
        "512/4bit  ndcg@10  mrr@10  map@100  accuracy@1  accuracy@10  recall@10",
        "----------------------------------------------------------------------",
        "山         0.5000  0.5000   0.5000      0.5000       0.5000     0.5000",
        "lakes      0.7000  0.7000   0.7000      0.7000       0.7000     0.7000",
        "mean       0.6000  0.6000   0.6000      0.6000       0.6000     0.6000",
        "",
        "nDCG@10       山   lakes    mean",
        "--------------------------------",
        "512/4bit  0.5000  0.7000  0.6000",
        "128/4bit  0.2500  0.3500  0.3000",
        "lexical   0.7500          0.7500",
        "",
        "Spearman   pairs",
        "----------------",
        "512/4bit  0.8000",
    ]
