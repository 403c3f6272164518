"""Reranking without an index, against an index of the same texts."""

from pathlib import Path

import numpy as np
import pytest

import konayuki
from evaluation.tiny_model import tiny_model
from konayuki.errors import InputError
from konayuki.search import Index
from konayuki.search import rerank as rerank_function
from konayuki.search.prepared import prepared, searched_text
from search.corpus import queries, records

rerank_module = pytest.importorskip("konayuki.search.rerank")
candidates_of = rerank_module.candidates_of
TEXTS = [
    "琵琶湖は日本最大の湖である。",
    "富士山の標高は3776メートルである。",
    "カレーには玉ねぎを入れる。",
]


def test_the_features_are_those_of_an_index_of_the_same_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerank_module, "_OTHER_TEXTS", 0)
    model = tiny_model()
    stored = records(45, seed=3)
    texts = {one["id"]: searched_text(one["title"], one["text"]) for one in stored}
    with Index.create(tmp_path / "i", model) as index:
        index.add(stored)
        for query in queries(5, seed=4):
            ids, expected = index.candidates(query)
            assert set(ids) == set(texts)  # the pool is the whole corpus
            got = candidates_of(prepared(query), list(texts.values()), model)
            places = [list(texts).index(one) for one in ids]

            for name in ("late", "sentence", "tokens"):
                ours, theirs = getattr(got, name)[places], getattr(expected, name)
                np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=name)
            # int8 vectors; one more document, the mark, and rounded lengths.
            np.testing.assert_allclose(got.dense[places], expected.dense, atol=0.02)
            np.testing.assert_allclose(got.lexical[places], expected.lexical, rtol=0.08, atol=0.05)
            assert got.ceiling == pytest.approx(expected.ceiling, rel=0.05)


def test_the_text_that_answers_comes_first() -> None:
    ranked = konayuki.rerank("富士山の高さ", TEXTS)

    assert ranked[0].position == 1
    assert sorted(one.position for one in ranked) == [0, 1, 2]
    assert ranked[0].relevance > 10 * ranked[-1].relevance
    assert konayuki.rerank("富士山の高さ", TEXTS, k=1) == ranked[:1]


def test_other_spellings_count() -> None:
    texts = ["ケーキを焼く。", "国際会議が開かれる。", "湖で泳ぐ。"]

    assert konayuki.rerank("國際會議", texts)[0].position == 1


def test_relevance_falls_with_the_order_and_scores_too() -> None:
    ranked = konayuki.rerank("日本一", TEXTS * 5)

    for name in ("relevance", "score"):
        values = [getattr(one, name) for one in ranked]
        assert values == sorted(values, reverse=True)
    equal = [one.position for one in ranked if one.position % 3 == 0]
    assert equal == sorted(equal)  # equal texts keep their order


def test_relevance_compares_between_questions() -> None:
    [right] = konayuki.rerank("富士山の標高は何メートル？", TEXTS[1:2])
    [wrong] = konayuki.rerank("離婚届の出し方", TEXTS[1:2])

    assert right.relevance > 10 * wrong.relevance


@pytest.mark.parametrize("texts", [[], [""], ["", "  ", "\n"], ["雪"]])
def test_few_and_empty_texts(texts: list[str]) -> None:
    ranked = konayuki.rerank("雪が降る", texts)

    assert [one.position for one in ranked] == list(range(len(texts)))
    assert all(np.isfinite(one[1:]).all() for one in ranked)


def test_an_empty_question_keeps_the_order() -> None:
    assert [one.position for one in konayuki.rerank(" ", TEXTS)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("query", "texts", "k", "message"),
    [
        (5, TEXTS, None, "query is a int"),
        ("雪", "雪", None, "texts is a string"),
        ("雪", ["雪", 5], None, "text 1 is a int"),
        ("雪", TEXTS, -1, "k is -1"),
    ],
)
def test_wrong_arguments_are_named(query: object, texts: object, k: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rerank_function(query, texts, k=k)
