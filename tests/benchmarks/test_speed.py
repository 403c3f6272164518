"""Measuring speed: what is compared with what; the times themselves are never tested."""

import json
import math
import sys
from pathlib import Path

import pytest

from konayuki.cli.sample_texts import sample_texts
from konayuki.errors import NotFoundError
from konayuki.model import StaticModel

# Only while importing: other modules in there have the names of folders of tests.
FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
from speed_peers import OURS, TOKENIZING, float_rows  # noqa: E402
from speed_turns import Line, PeerFailedError, Worker, measure, ratios  # noqa: E402

sys.path.remove(FOLDER)


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
