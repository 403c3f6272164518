"""A model of a few hundred characters with random rows: enough to run the whole road."""

import json
from pathlib import Path

import numpy as np

from konayuki.model import StaticModel
from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights
from vocabulary.pieces import tokenizer_json

CHARACTERS = (
    "".join(map(chr, range(0x3041, 0x3097)))
    + "".join(map(chr, range(0x30A1, 0x30FB)))
    + "日本一高山大湖富士琵琶問答文雨空青犬走降駆引用始。、？"
    + "abcdefghijklmnopqrstuvwxyz0123456789"
)


def tiny_model(dim: int = 32) -> StaticModel:
    """Return the model; every call returns the same."""
    draw = np.random.default_rng(11)
    pieces = [("<unk>", 0.0), *((character, -5.0) for character in CHARACTERS)]
    rows = draw.normal(size=(len(pieces), dim)).astype(np.float32)
    weights = Weights(
        FloatTable(rows),
        np.full(dim, 0.5, np.float32),
        np.ones(dim, np.float32),
        np.zeros(dim, np.float32),
    )
    return StaticModel(weights, json.dumps(tokenizer_json(pieces)).encode())


def save_tiny_model(folder: Path, layout: str = "float") -> Path:
    """Write the model to a folder and return the folder."""
    tiny_model().save(folder, layout=layout)
    return folder
