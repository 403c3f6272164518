"""Measuring speed: what is compared with what; the times themselves are never tested."""

import json
import math
from pathlib import Path

import pytest

from konayuki.cli import main
from konayuki.errors import NotFoundError
from konayuki.evaluation.speed import Line, PeerFailedError, Worker, measure, ratios
from konayuki.evaluation.speed_peers import OURS, PEERS, TOKENIZING, float_rows
from konayuki.evaluation.speed_texts import sample_texts
from konayuki.model import StaticModel


def test_all_peers_are_measured_with_all_kinds_of_texts() -> None:
    speed = measure(sample_texts(30), peers=(OURS, TOKENIZING), rounds=2)

    measured = {(line.peer, line.kind, line.threads, line.texts) for line in speed.lines}
    assert measured == {
        (peer, kind, 1, 30) for peer in (OURS, TOKENIZING) for kind in ("questions", "passages")
    }
    for line in speed.lines:
        assert 0 < line.default_us <= line.default_median_us
        assert 0 < line.best_us <= line.default_us
        assert 0 < line.single_p50_us <= line.single_p99_us
    assert speed.load_s.keys() == {OURS, TOKENIZING}


def test_ratios_are_against_ours_with_the_same_texts_and_threads() -> None:
    def line(peer: str, threads: int, default: float, best: float) -> Line:
        return Line(peer, threads, "questions", 9, default, default, best, 1, 8.0, 6.0, 10.0, 20.0)

    found = ratios(
        [line(OURS, 1, 4.0, 4.0), line(OURS, 2, 2.0, 2.0), line("st-512", 2, 60.0, 30.0)]
    )

    assert found == {
        "st-512, questions, 2 threads": {
            "default": 30.0,
            "best": 15.0,
            "default_processor": 1.0,
            "best_processor": 0.75,
            "single_p50": 1.0,
        }
    }


def test_a_peer_that_cannot_load_is_named_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(PeerFailedError, match=r"nobody: KeyError: 'nobody'"):
        Worker("nobody", tmp_path, 1)


def test_an_unknown_peer_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(NotFoundError, match="no peer 'fasttext': expected some of konayuki"):
        measure({"questions": ["山"]}, peers=("fasttext",))


def test_a_worker_reports_memory_and_takes_the_texts_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(["山", "川", "海"]), "utf-8")
    worker = Worker(OURS, tmp_path, 1)
    worker.ask("texts", path=str(tmp_path / "t.json"), count=2)
    singles = worker.ask("single")["seconds"]
    growth = worker.ask("memory")["growth_mb"]
    worker.close()

    assert len(singles) == 2
    assert math.isnan(growth) or growth > StaticModel.load().nbytes / 2e6


def test_rows_for_peers_are_those_of_the_bundled_model() -> None:
    wanted = StaticModel.load().weights.float_table().values
    wide = float_rows(600)

    assert (wide[:, :512] == wanted).all() and (wide[:, 512:] == wanted[:, :88]).all()


def test_sample_passages_are_an_order_longer_than_questions_and_the_same_in_every_run() -> None:
    texts = sample_texts(200)

    assert texts == sample_texts(200) != sample_texts(200, seed=1)
    lengths = {
        kind: StaticModel.load().tokenize(some).offsets[-1] / 200 for kind, some in texts.items()
    }
    assert 8 < lengths["questions"] < 16 and 140 < lengths["passages"] < 220
    assert len(set(texts["passages"])) == 200


def test_bench_prints_a_table_with_ours_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--peers", "tokenizing", "--texts", "20", "--rounds", "1"]) == 0

    head, first, second, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *("microseconds", "a", "text"),
        *("in", "batches", "at", "its", "best", "one", "by", "one"),
    ]
    assert first.startswith("questions: konayuki ") and first.count("x1.0") == 2
    assert second.startswith(f"questions: {PEERS[TOKENIZING].label}"[:50])


def test_bench_reads_a_file_and_writes_json_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.txt"
    path.write_text("富士山\n\n琵琶湖\n", "utf-8")

    assert main(["bench", str(path), "--peers", "", "--rounds", "1", "--json"]) == 0

    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["peer"], line["kind"], line["texts"]) == (OURS, "texts", 2)


@pytest.mark.parametrize("options", [["--threads", "0"], ["--peers", "nobody"]])
def test_bench_refuses_what_it_cannot_measure(options: list[str]) -> None:
    assert main(["bench", *options]) in {1, 2}
