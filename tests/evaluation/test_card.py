"""The card of a folder: metadata that reads back, every metric, tables, pictures."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from evaluation.layouts import PAIRS, write_beir, write_table
from evaluation.tiny_model import save_tiny_model
from konayuki import StaticModel
from konayuki.cli import main
from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.evaluation import plots
from konayuki.evaluation.card import write_card
from konayuki.evaluation.card_facts import read_training
from konayuki.model.weights import Weights, straight_tanh

hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("matplotlib")
pytest.importorskip("yaml")

HISTORY = [
    {"step": 10, "loss": 5.0},
    {"step": 20, "loss": "4.5"},
    {"step": 20, "eval_quiz_cosine_ndcg@10": 0.2, "eval_mean_cosine_ndcg@10": 0.4},
]
SOURCES = "file\trows\tsource\tlicence\tpair\nqa.parquet\t12\tsomeone/qa\tCC BY 4.0 | MIT\tq -> p\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a model folder with everything that a run leaves in it, card included."""
    root = tmp_path_factory.mktemp("card")
    for name in ("NanoFEVER", "NanoNQ"):
        write_beir(root / "sets" / name)
    write_table(root / "sets" / "pairs" / "stsb.jsonl", PAIRS)
    model = save_tiny_model(root / "tiny", layout="q4")
    scores = str(model / "evaluation.json")
    options = ["--dims", "32,8", "--bits", "4,2", "--mode", "dense,lexical,hybrid"]
    data = ["--data", str(root / "sets")]
    assert main(["evaluate", str(model), *data, *options, "--json", scores]) == 0
    (model / "train.json").write_text(
        json.dumps(
            {"settings": {"seed": 1, "loss": {"dims": [32]}}, "n_pairs": 7, "history": HISTORY}
        )
    )
    (model / "SOURCES.tsv").write_text(SOURCES, encoding="utf-8")
    assert write_card(model, name="owner/tiny") == model / "README.md"
    return model


def test_metadata_reads_back_with_every_metric_in_the_form_of_the_seed(folder: Path) -> None:
    card = hub.ModelCard.load(folder / "README.md", ignore_metadata_errors=False)
    index = card.data.to_dict()["model-index"][0]
    scores = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))

    assert index["name"] == "owner/tiny"
    heads = [(one["task"], one["dataset"]) for one in index["results"]]
    retrieval = {"type": "information-retrieval", "name": "Information Retrieval"}
    assert heads == [
        (retrieval, {"name": "NanoFEVER", "type": "NanoFEVER"}),
        (retrieval, {"name": "NanoNQ", "type": "NanoNQ"}),
        (
            {"type": "nano-beir", "name": "Nano BEIR"},
            {"name": "NanoBEIR mean", "type": "NanoBEIR_mean"},
        ),
        (
            {"type": "semantic-similarity", "name": "Semantic Similarity"},
            {"name": "pairs", "type": "pairs"},
        ),
    ]
    first = {one["type"]: one["value"] for one in index["results"][0]["metrics"]}
    measured = scores["results"][0]["metrics"]
    assert first == measured
    assert {"type": "cosine_ndcg@10", "name": "Cosine Ndcg@10"}.items() <= (
        index["results"][0]["metrics"][12].items()
    )


SEED_METRICS = [
    *(
        f"cosine_{kind}@{at}"
        for kind in ("accuracy", "precision", "recall")
        for at in (1, 3, 5, 10)
    ),
    "cosine_ndcg@10",
    "cosine_mrr@10",
    "cosine_map@100",
]


def test_the_metrics_of_the_seed_come_first_and_in_its_order(folder: Path) -> None:
    card = hub.ModelCard.load(folder / "README.md")

    assert card.data.metrics[: len(SEED_METRICS)] == SEED_METRICS
    assert card.data.language == ["ja"]
    assert "dataset_size:7" in card.data.tags


def test_the_text_holds_tables_of_scores_settings_and_licences(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    scores = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    mean = scores["means"][0]["metrics"]["cosine_ndcg@10"]

    assert re.search(rf"\*\*平均\*\* \| \*\*{mean:.4f}\*\*", text)
    assert "ハイブリッド 8次元 2ビット" in text
    assert r"| `qa.parquet` | 12 | someone/qa | CC BY 4.0 \| MIT |" in text
    assert "| `loss.dims` | [32] |" in text
    assert text.count("```bibtex") == 1


def test_every_picture_that_the_text_shows_is_there_and_is_a_picture(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)

    assert [Path(path).stem for path in shown] == ["curves", "architecture", "loss", "ndcg"]
    for path in shown:
        assert (folder / path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_equal_facts_draw_equal_files(folder: Path, tmp_path: Path) -> None:
    plots.draw_architecture(300, 32, 4, tmp_path / "a.png")
    plots.draw_architecture(300, 32, 4, tmp_path / "b.png")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_examples_of_the_card_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(import konayuki\n.*?)```", text, re.DOTALL)
    assert example is not None

    exec(example[1].replace("owner/tiny", str(folder)), {})  # noqa: S102 - our own example


def test_a_folder_without_scores_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="hint: konayuki evaluate"):
        write_card(save_tiny_model(tmp_path / "tiny"))


def test_scores_of_other_dimensions_do_not_make_a_card(folder: Path, tmp_path: Path) -> None:
    save_tiny_model(tmp_path, layout="float")  # 32 bits, but the scores are of 4 and 2
    (tmp_path / "evaluation.json").write_bytes((folder / "evaluation.json").read_bytes())

    with pytest.raises(InputError, match="no dense scores at 32 dimensions and 32 bits"):
        write_card(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"results": [{}]}'])
def test_a_damaged_evaluation_is_named(tmp_path: Path, content: str) -> None:
    save_tiny_model(tmp_path)
    (tmp_path / "evaluation.json").write_text(content)

    with pytest.raises(DatasetError, match=r"evaluation\.json is not"):
        write_card(tmp_path)


def card_of(folder: Path, out: Path, record: dict[str, Any], *, straight: bool = False) -> str:
    """Return the card of the folder with another record, perhaps without a tanh."""
    shutil.copytree(folder, out)
    if straight:
        model = StaticModel.load(folder)
        weights = Weights(model.weights.table, *straight_tanh(model.dim))
        StaticModel(weights, (folder / "tokenizer.json").read_bytes()).save(out, "q4")
    (out / "train.json").write_text(json.dumps({"history": HISTORY, **record}), "utf-8")
    assert main(["card", str(out)]) == 0
    return (out / "README.md").read_text("utf-8")


def test_name_and_licence_are_those_of_the_run(folder: Path, tmp_path: Path) -> None:
    said = card_of(folder, tmp_path / "q4", {"name": "mine", "licence": "cc-by-sa-4.0"})
    assert "\n# mine\n" in said
    assert "\nlicense: cc-by-sa-4.0\n" in said
    assert "| ライセンス | cc-by-sa-4.0 |" in said
    unsaid = card_of(folder, tmp_path / "other", {})
    assert "\n# other\n" in unsaid
    assert "license:" not in unsaid
    assert "\n| ライセンス |" not in unsaid


def test_sizes_are_those_that_were_trained_or_else_measured(folder: Path, tmp_path: Path) -> None:
    nested = card_of(folder, tmp_path / "a", {"settings": {"model": {"dims": [32, 12, 6]}}})
    assert "先頭の 12, 6 次元だけ" in nested
    assert "loss:MatryoshkaLoss" in nested
    single = card_of(folder, tmp_path / "b", {"settings": {"model": {"dims": [32]}}})
    assert "短縮可能" not in single
    assert "次元だけを使う" not in single
    assert "loss:MatryoshkaLoss" not in single
    assert "先頭の 8 次元だけ" in card_of(folder, tmp_path / "c", {})


def test_a_model_without_a_tanh_has_none_on_its_card(folder: Path, tmp_path: Path) -> None:
    assert "\\tanh" in card_of(folder, tmp_path / "a", {})
    straight = card_of(folder, tmp_path / "b", {}, straight=True)
    assert "\\tanh" not in straight
    assert "a tanh per dimension" not in straight
    assert "学習されます" not in straight
    pictures = [(tmp_path / name / "assets/architecture.png").read_bytes() for name in "ab"]
    assert pictures[0] != pictures[1]


def test_the_history_of_a_run(tmp_path: Path) -> None:
    assert read_training(tmp_path / "train.json") is None
    (tmp_path / "train.json").write_text(json.dumps({"history": HISTORY}))

    training = read_training(tmp_path / "train.json")

    assert training is not None
    assert training.losses == ((10, 5.0), (20, 4.5))
    assert training.ndcgs == ((20, 0.4),)


def test_a_name_without_a_font_is_drawn_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "japanese_font", lambda: None)
    assert plots.label_for("山の問題", 3) == "set 3"
    assert plots.label_for("aio-quiz", 3) == "aio-quiz"

    monkeypatch.setattr(plots, "japanese_font", lambda: "Noto Sans CJK JP")
    assert plots.label_for("山の問題", 3) == "山の問題"


def test_a_japanese_name_is_drawn_without_missing_characters(tmp_path: Path) -> None:
    # matplotlib warns about every character that no font has, and warnings are errors here.
    plots.draw_history(
        "loss", "loss", {"山": ([1, 2], [1, 2]), "b": ([1, 2], [2, 1])}, tmp_path / "a.png"
    )

    assert (tmp_path / "a.png").stat().st_size > 5000
