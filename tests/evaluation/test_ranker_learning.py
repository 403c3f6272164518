"""Weights and relevance of the second look: what they learn, and that they are judged unseen."""

import json
from pathlib import Path

import numpy as np
import pytest

from konayuki.cli.main import main
from konayuki.evaluation import ranker_learning as learning
from konayuki.evaluation.ranker_learning import Asked, RankerTask
from konayuki.model.static import BUNDLED
from konayuki.search.ranker import FEATURES, RAW_FEATURES, Candidates


def asked(rng: np.random.Generator, useful: str, *, answered: bool = True) -> Asked:
    """Twelve candidates of which the right one stands out in one feature."""
    values = {name: rng.random(12).astype(np.float32) / 2 for name in FEATURES}
    right = int(rng.integers(12))
    if answered:
        values[useful][right] += 0.6
    candidates = Candidates(
        dense=values["dense"],
        lexical=values["lexical"],
        late=values["late"],
        sentence=values["sentence"],
        tokens=np.exp(values["length"]),
        ceiling=1.2,
    )
    gains = np.zeros(12, np.int64)
    gains[right] = int(answered)
    return Asked(candidates, gains, [1] if answered else ())


def task(name: str, useful: str = "dense", n: int = 40) -> RankerTask:
    rng = np.random.default_rng(len(name) + ord(name[0]))
    return RankerTask(
        name,
        [asked(rng, useful) for _ in range(n)],
        [asked(rng, useful, answered=False) for _ in range(n)],
    )


def test_the_useful_feature_weighs_most():
    weights = learning.learn_weights([task("a", "late"), task("b", "late")], l2=0.02)
    assert max(weights, key=weights.__getitem__) == "late"


def test_a_feature_that_is_left_out_weighs_nothing():
    rest = [name for name in FEATURES if name != "late"]
    weights = learning.learn_weights([task("a", "late")], features=rest)
    assert weights["late"] == 0
    assert weights["dense"] != 0


def test_weights_of_a_task_are_learned_without_its_source():
    tasks = [task("a"), task("b", "late"), task("c", "late")]
    alone = learning.weights_left_out(tasks)
    assert alone["a"] == learning.learn_weights(tasks[1:])
    kin = learning.weights_left_out(tasks, [["a", "b"]])
    assert kin["a"] == kin["b"] == learning.learn_weights(tasks[2:])


def test_relevance_is_judged_without_its_source(monkeypatch: pytest.MonkeyPatch):
    tasks = [task("a"), task("b"), task("c")]
    seen = []
    learn = learning.learn_relevance

    def spying(judged: learning.Judged) -> dict[str, float]:
        seen.append(len(judged.raw))
        return learn(judged)

    monkeypatch.setattr(learning, "learn_relevance", spying)
    weights = learning.weights_left_out(tasks, [["a", "b"]])
    results = learning.judged_left_out(tasks, weights, ["a", "b", "c"], [["a", "b"]])
    sizes = {name: len(judged.raw) for name, (judged, _) in results.items()}
    assert seen == [sizes["c"], sizes["c"], sizes["a"] + sizes["b"]]


def test_questions_with_an_answer_are_told_from_others():
    tasks = [task("a"), task("b"), task("c")]
    weights = learning.weights_left_out(tasks)
    results = learning.judged_left_out(tasks, weights, ["a", "b", "c"])
    quality = learning.relevance_quality(*learning.pooled(results))
    assert quality["auroc_other_corpus"] > 0.9
    assert quality["calibration_error"] < 0.1
    assert sum(point["weight"] for point in quality["diagram"]) == pytest.approx(1, abs=1e-3)


def test_the_calibration_error_is_the_weighted_distance_from_the_diagonal():
    n = 100
    judged = learning.Judged(
        raw=np.zeros((n, len(RAW_FEATURES))),
        right=np.arange(n) < 30,
        weight=np.ones(n),
        kind=np.zeros(n, np.int64),
        first=np.ones(n, np.bool_),
    )
    quality = learning.relevance_quality(judged, np.full(n, 0.55))
    assert quality["calibration_error"] == pytest.approx(0.25)
    assert quality["diagram"] == [{"mean": 0.55, "right": 0.3, "weight": 1.0}]


def write_set(folder: Path, texts: list[str]) -> None:
    folder.mkdir(parents=True)
    rows = {
        "corpus": [{"_id": f"d{n}", "text": text} for n, text in enumerate(texts)],
        "queries": [{"_id": f"q{n}", "text": f"{text[:6]}は何か"} for n, text in enumerate(texts)],
        "qrels": [
            {"query-id": f"q{n}", "corpus-id": f"d{n}", "score": 1} for n in range(len(texts))
        ],
    }
    for name, lines in rows.items():
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(content, encoding="utf-8")


def test_the_command_writes_weights_and_a_report(tmp_path: Path):
    kinds = {"駅": "北の町", "山": "南の島", "店": "東の谷"}
    for name, (thing, place) in zip("abc", kinds.items(), strict=True):
        texts = [
            f"{place}の{thing}{n}番は{'赤青白黒緑'[n % 5]}い屋根で{n}人が働く。" for n in range(20)
        ]
        write_set(tmp_path / "sets" / name, texts)
    out, report = tmp_path / "ranker.json", tmp_path / "report.json"
    arguments = ["train-ranker", "--no-progress", "--fold", str(BUNDLED), str(tmp_path / "sets")]
    arguments += ["--queries", "10", "--same-source", "a", "b", "--calibrate", "a", "c"]
    assert main([*arguments, "--out", str(out), "--report", str(report)]) == 0
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["calibrated_on"] == ["a", "c"]
    assert content["left_out"]["ndcg@10"].keys() >= {"all", *(f"without {x}" for x in FEATURES)}
    assert content["left_out"]["relevance_by_task"].keys() == {"a", "c"}
    assert json.loads(out.read_text(encoding="utf-8"))["weights"] == content["weights"]
