"""The bundled model: its tokenizer against the library, on both paths."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from konayuki import StaticModel
from konayuki.model.native import kernel
from konayuki.model.static import BUNDLED
from konayuki.model.tokenizer import build_tokenizer

TOKENIZER = BUNDLED / "tokenizer.json"
ROOT = Path(__file__).resolve().parents[2]
ADVERSARIAL = [
    "",
    " ",
    "　",
    "▁",
    "a▁b",
    "ｶﾞｷﾞｸﾞ",
    "か\u3099",
    "e\u0301",
    "①㍿㌔",
    "ＳＱＬ　Server\r\n2019",
    "👨\u200d👩\u200d👧☃☃",
    "ΑΣ ΑΣ.",
    "İstanbul",
    "\x00a\x1f\u200b\ufeff",
    "あ" * 3000,
    "ー" * 999 + "。",
    "x" * 5000,
    "\u0378\U0010ffff",
]


def texts() -> list[str]:
    pages = [path.read_text("utf-8") for path in sorted((ROOT / "demo" / "corpus").glob("*.md"))]
    return [*ADVERSARIAL, *pages, *(line for page in pages for line in page.splitlines())]


@pytest.fixture(scope="module")
def wanted() -> list[list[int]]:
    tokenizers = pytest.importorskip("tokenizers")
    library = tokenizers.Tokenizer.from_file(str(TOKENIZER))
    return [library.encode(text, add_special_tokens=False).ids for text in texts()]


def test_plain_python_gives_the_ids_of_the_library(
    wanted: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")
    tokenizer = build_tokenizer(TOKENIZER.read_bytes(), TOKENIZER)
    ids, offsets = tokenizer.tokenize(texts())
    assert tokenizer.backend == "python"
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == wanted


@pytest.mark.skipif(kernel() is None, reason="the extension is not built")
def test_the_kernel_gives_the_ids_of_the_library(wanted: list[list[int]]) -> None:
    ids, offsets = StaticModel.load().tokenize(texts())
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == wanted


def test_the_model_holds_its_rows_packed() -> None:
    model = StaticModel.load()
    assert (model.vocab_size, model.dim, model.layout) == (32768, 512, "q4")
    assert model.nbytes < 9e6


def test_meaning_beats_chance() -> None:
    model = StaticModel.load()
    scores = model.similarity("風邪をひいて熱がある", ["発熱と咳が続く", "新幹線の切符を買う"])
    assert scores[0, 0] > scores[0, 1]
    assert np.isfinite(scores).all()
