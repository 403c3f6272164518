"""Tasks held out of the training pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.arrays import unit_rows
from konayuki.errors import InputError
from konayuki.model.packed import FloatTable
from konayuki.model.weights import Weights
from konayuki.training.development import Task, hold_out, mean_ndcg, named_scores, score_tasks
from konayuki.training.pair_store import PairStore, SourceRows
from konayuki.training.recipe import DevelopmentSettings


def store_of(*sources):
    """Return a store of sources "s0", "s1", … whose texts are their numbers."""
    table = np.array([pair for source in sources for pair in source], dtype=np.int32)
    table = np.column_stack([table, np.full(len(table), -1)]).astype(np.int32)
    ends = np.cumsum([len(source) for source in sources]).tolist()
    stretches = tuple(
        SourceRows(f"s{number}", end - len(source), end, 1.0)
        for number, (source, end) in enumerate(zip(sources, ends, strict=True))
    )
    n_texts = int(table.max()) + 1
    return PairStore(np.zeros(n_texts, np.int32), np.arange(n_texts + 1), table, stretches, 1)


pairs = st.lists(
    st.tuples(st.integers(0, 15), st.integers(16, 40)), min_size=3, max_size=40, unique=True
)


@settings(max_examples=60, deadline=None)
@given(pairs, pairs, st.integers(1, 8), st.integers(1, 8))
def test_nothing_that_a_task_asks_is_trained_on(first, second, held_out, n_queries):
    store = store_of(first, second)
    wanted = DevelopmentSettings(source="s0", held_out=held_out, queries=n_queries, corpus=12)
    (task,), rows = hold_out(store, [wanted])
    needles = {int(task.corpus[place]) for answers in task.answers for place in answers}
    trained = store.pairs[rows][:, :2]

    assert not needles & set(trained.ravel().tolist())
    assert not set(task.queries.tolist()) & set(trained.ravel().tolist())
    assert len(task.queries) <= n_queries
    assert len(needles) <= held_out
    for query, answers in zip(task.queries, task.answers, strict=True):
        right = {passage for asked, passage in first if asked == query}
        assert {int(task.corpus[place]) for place in answers} <= right
        assert answers


def test_no_held_out_passage_is_trained_on_as_a_negative():
    store = store_of([(n, 100 + n) for n in range(60)])
    store.pairs[:, 2] = np.roll(store.pairs[:, 1], 1)
    store.pairs[::3, 2] = -1
    (task,), rows = hold_out(
        store, [DevelopmentSettings(source="s0", held_out=10, queries=10, corpus=30)]
    )
    needles = {int(task.corpus[place]) for answers in task.answers for place in answers}

    assert not needles & set(store.pairs[rows].ravel().tolist())
    fit = ~np.isin(store.pairs, [*needles, *task.queries.tolist()]).any(axis=1)
    assert rows.tolist() == np.flatnonzero(fit).tolist()


def test_no_right_passage_of_a_query_counts_as_wrong():
    many = [(query, 200 + 3 * query + number) for query in range(60) for number in range(3)]
    elsewhere = [(query, 200 + (query * 7) % 180) for query in range(60)]
    store = store_of(many, [pair for pair in elsewhere if pair not in many])
    wanted = DevelopmentSettings(source="s0", held_out=20, queries=60, corpus=180)
    (task,), rows = hold_out(store, [wanted])
    corpus = task.corpus.tolist()

    assert len(task.queries) < 20 < len(corpus)
    for query, answers in zip(task.queries.tolist(), task.answers, strict=True):
        right = {corpus.index(one) for asked, one in many if asked == query and one in corpus}
        assert answers == right
    held = np.isin(store.pairs[:, 1], [corpus[place] for one in task.answers for place in one])
    held |= np.isin(store.pairs[:, 0], task.queries)
    assert rows.tolist() == np.flatnonzero(~held).tolist()


def test_tasks_are_always_the_same_draws():
    store = store_of([(n, 100 + n) for n in range(60)])
    wanted = [DevelopmentSettings(source="s*", held_out=10, queries=10, corpus=30)] * 2
    (one, another), _ = hold_out(store, wanted)
    again = hold_out(store, wanted)[0][0]

    np.testing.assert_array_equal(one.corpus, again.corpus)
    np.testing.assert_array_equal(one.queries, again.queries)
    assert not np.array_equal(one.corpus, another.corpus)


def test_unknown_sources_are_named():
    with pytest.raises(InputError, match=r"development\.source is 'x': expected .* sources: s0"):
        hold_out(store_of([(0, 1)]), [DevelopmentSettings(source="x")])


def test_without_tasks_there_is_no_score_and_every_row_is_left():
    store = store_of([(0, 1), (2, 3)])
    tasks, rows = hold_out(store, [])

    ones = np.ones(2, dtype=np.float32)
    weights = Weights(FloatTable(np.ones((1, 2), dtype=np.float32)), ones, ones, ones)
    assert rows.tolist() == [0, 1]
    assert score_tasks(weights, store, tasks, [2]) == {}


def test_ndcg_is_that_of_the_definition():
    passages = np.eye(12, dtype=np.float32)
    # The first query meets its answers at ranks 1 and 3, the second finds its answer last.
    queries = unit_rows(np.array([[9, 8, 7, *[0] * 9], [*range(12, 0, -1)]], dtype=np.float32), 12)
    task = Task("t", np.arange(2), np.arange(12), (frozenset({0, 2}), frozenset({11})))
    best = 1 + 1 / np.log2(3)

    assert mean_ndcg(queries, passages, task) == pytest.approx((1 + 0.5) / best / 2, abs=1e-6)


def test_names_are_those_of_the_record():
    assert named_scores({"mean@64": 0.123456}) == {"mean@64_ndcg@10": 0.1235}
