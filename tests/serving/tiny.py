"""A model of a few kilobytes: a piece per character, random rows."""

import json
import string
from pathlib import Path

import numpy as np

from konayuki.model import StaticModel
from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights

DIM = 32
_KANJI = (
    "富士山琵琶湖日本高大雪版東京空海猫犬電車学校病院料理歴史科学法律旅行今白落降本文章題名検索意味"
)
_CHARACTERS = (
    [chr(code) for code in range(0x3041, 0x3097)]
    + [chr(code) for code in range(0x30A1, 0x30FB)]
    + list(_KANJI)
    + list(string.ascii_lowercase + string.digits + "ー。、？「」")
)


def tokenizer_json() -> bytes:
    pieces = list(dict.fromkeys(_CHARACTERS))
    vocab = [["<unk>", 0.0], *([piece, -3.0 - 0.01 * n] for n, piece in enumerate(pieces))]
    definition = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}],
        },
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": vocab},
    }
    return json.dumps(definition, ensure_ascii=False).encode()


def tiny_model() -> StaticModel:
    content = tokenizer_json()
    n_pieces = len(json.loads(content)["model"]["vocab"])
    rows = np.random.default_rng(0).standard_normal((n_pieces, DIM), dtype=np.float32)
    ones = np.ones(DIM, dtype=np.float32)
    return StaticModel(Weights(FloatTable(rows), ones, ones, 0 * ones), content)


def save_tiny_model(folder: Path) -> Path:
    tiny_model().save(folder, layout="q4")
    return folder
