"""A whole collection: NanoBEIREvaluator of sentence-transformers and we read and score the same."""

import random
from pathlib import Path

import numpy as np
import pytest

from evaluation.layouts import nano_readme, write_table
from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.evaluation import Report, evaluate_dense, read_sets
from konayuki.evaluation.report import card_names

torch = pytest.importorskip("torch")
evaluation = pytest.importorskip("sentence_transformers.evaluation")
pytest.importorskip("datasets")

NAMES = ("NanoFEVER", "NanoNQ")


def write_collection(folder: Path) -> Path:
    """Write two sets of short texts over few letters, so that many scores tie."""
    draw = random.Random(4)  # noqa: S311 - test data

    def text() -> str:
        return "".join(draw.choices("あいうえお", k=4))

    for name in NAMES:
        corpus = [{"_id": f"d{row}", "text": text()} for row in range(300)]
        queries = [{"_id": f"q{row}", "text": text()} for row in range(40)]
        qrels = [
            {"query-id": query["_id"], "corpus-id": one["_id"]}
            for query in queries
            for one in draw.sample(corpus, draw.randint(1, 12))
        ]
        corpus.append({"_id": "empty", "text": ""})  # both drop it
        for part, rows in (("corpus", corpus), ("queries", queries), ("qrels", qrels)):
            write_table(folder / part / f"{name}-00000-of-00001.parquet", rows)
    (folder / "README.md").write_text(nano_readme(NAMES), encoding="utf-8")
    return folder


class Letters:
    """Counts of letters as vectors, for both sides of the comparison."""

    dim = 8
    similarity_fn_name = "cosine"
    model_card_data = type("Card", (), {"set_evaluation_metrics": lambda *_, **__: None})()

    def encode(self, texts: list[str], **_: object) -> FloatMatrix:
        counts = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            np.add.at(counts[row], [ord(letter) % self.dim for letter in text], 1)
        return counts

    def encode_query(self, texts: list[str], **_: object) -> object:
        # Scaled as we scale: another rounding of the norms would order the ties otherwise.
        return torch.from_numpy(unit_rows(self.encode(texts)))

    encode_document = encode_query

    def similarity(self, first: object, second: object) -> object:
        return first @ second.T


def test_a_collection_scores_as_in_sentence_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    folder = write_collection(tmp_path / "nano")
    evaluator = evaluation.NanoBEIREvaluator(["fever", "nq"], dataset_id=str(folder))

    theirs = evaluator(Letters())
    scores = [
        one for each in read_sets(folder, strict=False) for one in evaluate_dense(Letters(), each)
    ]

    ours = {
        f"{one.set_name}_{name}": value
        for one in scores
        for name, value in card_names(one.setting, one.metrics).items()
    }
    report = Report("letters", tuple(scores))
    (setting,) = report.settings
    ours |= {
        f"NanoBEIR_mean_{name}": value
        for name, value in card_names(setting, report.mean(setting)).items()
    }
    assert ours == pytest.approx(theirs, abs=1e-9)
