"""A model of a few kilobytes: a piece per character, random rows."""

import json
import string
from pathlib import Path

import numpy as np

from konayuki.model import StaticModel
from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights
from vocabulary.pieces import tokenizer_json

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


def tiny_model() -> StaticModel:
    characters = dict.fromkeys(_CHARACTERS)
    pieces = [("<unk>", 0.0), *((one, -3.0 - 0.01 * n) for n, one in enumerate(characters))]
    rows = np.random.default_rng(0).standard_normal((len(pieces), DIM), dtype=np.float32)
    ones = np.ones(DIM, dtype=np.float32)
    weights = Weights(FloatTable(rows), ones, ones, 0 * ones)
    return StaticModel(weights, json.dumps(tokenizer_json(pieces)).encode())


def save_tiny_model(folder: Path) -> Path:
    tiny_model().save(folder, layout="q4")
    return folder
