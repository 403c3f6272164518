"""Sources read into stores of token ids."""

import json

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from konayuki.errors import DatasetError, NotFoundError
from konayuki.model.tokens import as_batch
from konayuki.training.pair_store import build_store, open_store
from konayuki.training.recipe import SourceSettings
from konayuki.training.sources import find_sources, read_pairs


class Letters:
    """A tokenizer: the code point of each character."""

    vocab_size = 70_000

    def tokenize(self, texts):
        return as_batch([np.array([ord(one) for one in text], dtype=np.int32) for text in texts])


def test_a_store_gives_back_the_tokens_of_each_text_and_is_reused(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"query": "雪", "positive": "冬に降る"}\n{"query": "雪", "positive": "冬に降る"}\n'
        '{"query": " 雨 ", "positive": "雪"}\n{"query": "同じ", "positive": "同じ"}\n',
        encoding="utf-8",
    )
    (source,) = find_sources([SourceSettings(files="*.jsonl")], tmp_path)

    build_store([(source, read_pairs(source))], Letters(), tmp_path / "store", "k")
    store = open_store(tmp_path / "store", "k")

    assert store.pairs.tolist() == [[0, 1, -1], [2, 0, -1]]
    assert store.texts() == ["雪", "冬に降る", "雨"]
    batch = store.bags(np.array([1, 2]), longest=3)
    assert "".join(map(chr, batch.ids)) == "冬に降雨"
    assert batch.offsets.tolist() == [0, 3, 4]
    with pytest.raises(DatasetError, match="other pairs"):
        open_store(tmp_path / "store", "another key")


def test_a_row_without_the_column_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"query": "雪"}) + "\n", encoding="utf-8")
    (source,) = find_sources([SourceSettings(files="a.jsonl")], tmp_path)

    with pytest.raises(DatasetError, match=r"a\.jsonl line 1: no column 'positive'"):
        list(read_pairs(source))
    with pytest.raises(NotFoundError, match="no file fits"):
        find_sources([SourceSettings(files="b*")], tmp_path)
