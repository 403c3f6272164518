import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.scale.sparse import _index, document_vector, lengths_of, query_vector
from konayuki.search.document import Document
from konayuki.search.lexical import LexicalIndex, Mark

TEXTS = [
    "富士山は日本でいちばん高い山です。",
    "図書館で本を借りるには、カードを見せてください。",
    "The train leaves at 9:30 and arrives at 12:05.",
    "みそ汁はだしを取り、みそをとかして作ります。みそ、みそ。",
    "山",
]


def server_scores(query: str) -> list[float]:
    """What an engine with the IDF modifier computes."""
    lengths = lengths_of(TEXTS)
    vectors = [document_vector(text, lengths) for text in TEXTS]
    holding = Counter(index for vector in vectors for index in vector.indices.tolist())
    asked = dict(zip(*map(list, query_vector(query)), strict=True))
    scores = []
    for vector in vectors:
        total = 0.0
        for index, value in zip(vector.indices.tolist(), vector.values.tolist(), strict=True):
            n = holding[index]
            total += asked.get(index, 0) * value * math.log1p((len(TEXTS) - n + 0.5) / (n + 0.5))
        scores.append(total)
    return scores


def test_the_product_with_a_query_is_the_bm25_of_the_index() -> None:
    index = LexicalIndex(None)
    index.create()
    documents = [Document(str(row), text) for row, text in enumerate(TEXTS)]
    index.add(range(len(TEXTS)), documents)
    index.commit(Mark(1, len(TEXTS)))
    view = index.view()

    for query in ("富士山 高い", "みそ汁 みそ汁", "山", "train 山は", "本"):
        rows, scores = view.best(query, 10, lambda rows: np.ones(len(rows), dtype=np.bool_))
        wanted = np.zeros(len(TEXTS))
        wanted[rows] = scores
        # tantivy counts its mark as a document, and keeps lengths in steps
        np.testing.assert_allclose(server_scores(query), wanted, rtol=0.25, atol=0.15)
        assert {row for row, score in enumerate(server_scores(query)) if score > 0} == set(rows)


def test_two_grams_of_the_basic_plane_never_share_a_place() -> None:
    characters = "あいうえおかきくけこアイウエオ富士山高日本人一二三四五ab12"
    grams = {a + b for a in characters for b in characters}

    assert len({_index(gram, 0) for gram in grams}) == len(grams)


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=50))
def test_entries_are_ascending_and_never_meet_twice(text: str) -> None:
    for vector in (document_vector(text, lengths_of([text])), query_vector(text)):
        assert (np.diff(vector.indices.astype(np.int64)) > 0).all()
        assert (vector.values > 0).all()
