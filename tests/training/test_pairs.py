"""Sources, stores, batches and decontamination."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.evaluation import Passage, RetrievalSet
from konayuki.model.tokens import as_batch
from konayuki.training.batch_plan import BatchPlan
from konayuki.training.decontamination import Decontaminator
from konayuki.training.pair_store import PairStore, SourceRows, build_store, open_store
from konayuki.training.recipe import SourceSettings
from konayuki.training.recipe_file import read_recipe, recipe_from
from konayuki.training.sources import Pair, find_sources, read_pairs

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


class Letters:
    """A tokenizer: the code point of each character."""

    vocab_size = 70_000

    def tokenize(self, texts):
        return as_batch([np.array([ord(one) for one in text], dtype=np.int32) for text in texts])


def store_of(pairs, stretches=None):
    table = np.array([(*pair, -1) for pair in pairs], dtype=np.int32).reshape(-1, 3)
    n_texts = int(table.max()) + 1
    found = stretches or (SourceRows("all", 0, len(table), 1.0),)
    return PairStore(np.zeros(n_texts, np.int32), np.arange(n_texts + 1), table, found, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), min_size=12), st.integers(0, 9))
def test_no_text_occurs_twice_in_a_batch_and_batches_are_full(pairs, seed):
    pairs = [(query, 100 + passage) for query, passage in pairs]
    plan = BatchPlan(store_of(pairs), np.arange(len(pairs)), 4, seed=seed)
    try:
        batches = list(plan.batches(6))
    except InputError:
        return  # too few different texts for one batch
    assert len(batches) == 6
    for batch in batches:
        texts = [text for row in batch for text in pairs[row]]
        assert len(batch) == 4
        assert len(set(texts)) == len(texts)


def test_a_plan_is_the_same_for_the_same_seed_and_differs_by_seed():
    store = store_of([(n, 1000 + n) for n in range(200)])

    first, again, other = (
        np.concatenate(list(BatchPlan(store, np.arange(200), 32, seed=seed).batches(9)))
        for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_weights_set_how_often_pairs_are_seen_and_rows_left_out_never_are():
    pairs = [(n, 1000 + n) for n in range(400)]
    stretches = (SourceRows("half", 0, 200, 0.5), SourceRows("twice", 200, 400, 2.0))
    plan = BatchPlan(store_of(pairs, stretches), np.arange(1, 400), 20, seed=0)
    counts = np.bincount(np.concatenate(list(plan.batches(plan.pairs_per_epoch // 20))))

    assert counts[0] == 0
    assert counts[:200].sum() == pytest.approx(100, abs=25)
    assert counts[200:].sum() == pytest.approx(400, abs=25)


def test_source_batches_hold_one_source():
    pairs = [(n, 1000 + n) for n in range(400)]
    stretches = (SourceRows("a", 0, 200, 1.0), SourceRows("b", 200, 400, 1.0))
    plan = BatchPlan(store_of(pairs, stretches), np.arange(400), 20, seed=0, source_batches=1.0)

    for batch in plan.batches(20):
        assert len({row < 200 for row in batch.tolist()}) == 1


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


def test_pairs_that_show_an_evaluation_text_are_dropped_and_counted():
    passage = "".join(chr(0x4E00 + n) for n in range(60))
    hay = "".join(chr(0x5E00 + n) for n in range(60))
    guard = Decontaminator()
    guard.add(
        RetrievalSet(
            "set",
            {"d1": Passage(passage), "d2": Passage(hay)},
            {"q": "ＡＢＣ とは"},
            {"q": {"d1": 1}},
        )
    )
    good = [Pair("問い", "答え"), Pair("干し草", hay), Pair("短い", passage[:39])]
    bad = [Pair("abcとは", "答え"), Pair("問い", "前置き" + passage[5:45]), Pair("x", "y", passage)]

    assert list(guard.clean([*good, *bad], "s")) == good
    assert guard.report() == [
        {"source": "s", "reason": "passage", "dropped": 2},
        {"source": "s", "reason": "query", "dropped": 1},
    ]


def test_the_card_recipe_holds_the_values_of_the_card():
    recipe = read_recipe(RECIPES / "card.toml")

    assert recipe.model.dims == (512, 256, 128, 64, 32)
    assert (recipe.training.batch_size, recipe.training.gradient_accumulation) == (3072, 10)
    assert (recipe.training.learning_rate, recipe.training.adam_epsilon) == (0.1, 1e-10)
    assert (recipe.training.epochs, recipe.training.warmup_ratio) == (2.0, 0.02)
    assert len(recipe.sources) == 14


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"learning_rat": 0.1}}, "unknown key training.learning_rat"),
        ({"training": {"epochs": "two"}}, "training.epochs is 'two'"),
        ({"model": {"dims": [64, 128]}}, "model.dims"),
        (
            {"training": {"warmup_ratio": 2}},
            "training.warmup_ratio is 2: expected a number from 0 to 1",
        ),
        ({"sources": [{"files": "a", "hub": "b"}]}, "expected either of them"),
        ({}, "sources is empty"),
    ],
)
def test_wrong_recipes_name_the_key(values, message):
    with pytest.raises(InputError, match=message):
        recipe_from({"sources": [{"files": "*"}], **values} if values else values)


def test_settings_can_be_changed_from_outside() -> None:
    changes = ["training.steps=7", 'name="mine"', "model.dims=[8, 4]"]
    recipe = read_recipe(RECIPES / "smoke.toml", changes)
    assert (recipe.training.steps, recipe.name, recipe.model.dims) == (7, "mine", (8, 4))
    assert recipe.training.batch_size == read_recipe(RECIPES / "smoke.toml").training.batch_size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.steps", "is not a setting"),
        ("training.steps=many", "is not a setting"),
        ("training.stepz=3", "unknown key training.stepz"),
        ("training.steps=0.5", "expected a whole number"),
    ],
)
def test_a_wrong_change_says_what_is_wrong(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_recipe(RECIPES / "smoke.toml", [change])
