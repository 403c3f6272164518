"""A BERT of two layers over single letters, with random weights, for a model of the hub."""

from pathlib import Path
from typing import Any

import pytest

LETTERS = "雪が降る冬山の道検索クエリ文書: "


def write_bert(path: Path, kind: str = "BertModel", **config: Any) -> str:
    """Write a model of a class of transformers into a new folder; return its name."""
    transformers = pytest.importorskip("transformers")
    path.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(LETTERS)]
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    settings = transformers.BertConfig(
        vocab_size=len(words),
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
        **sizes,
        **config,
    )
    getattr(transformers, kind)(settings).save_pretrained(path)
    transformers.BertTokenizer(str(path / "vocab.txt")).save_pretrained(path)
    return str(path)
