import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.training.batch_plan import BatchPlan
from konayuki.training.pair_store import PairStore, SourceRows


def store(pairs: list[tuple[int, int]], weights: tuple[float, float] = (1.0, 1.0)) -> PairStore:
    table = np.array([(a, b, -1) for a, b in pairs], dtype=np.int32).reshape(-1, 3)
    half = len(pairs) // 2
    sources = (
        SourceRows("a", 0, half, weights[0]),
        SourceRows("b", half, len(pairs), weights[1]),
    )
    ids = np.empty(0, dtype=np.uint16)
    return PairStore(ids, np.zeros(table.max(initial=0) + 2, dtype=np.int64), table, sources, 10)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=16, max_size=80))
@settings(deadline=None)
def test_no_text_meets_itself_in_a_batch(pairs: list[tuple[int, int]]) -> None:
    pairs = [(query, 31 + passage) for query, passage in pairs]
    full = store(pairs)
    plan = BatchPlan(full, np.arange(len(pairs)), 4, seed=1)
    try:
        batches = list(plan.batches(6))
    except InputError:
        return  # too few different texts for one batch
    assert len(batches) == 6
    for batch in batches:
        texts = full.pairs[batch, :2].ravel()
        assert len(batch) == 4
        assert len(np.unique(texts)) == len(texts)


def test_the_plan_follows_from_the_seed_and_uses_allowed_rows_only() -> None:
    full = store([(n, 1000 + n) for n in range(400)], (1.0, 0.5))
    rows = np.arange(0, 400, 2)
    first, again, other = (
        np.stack(list(BatchPlan(full, rows, 8, seed=seed).batches(40))) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert set(first.ravel()) <= set(rows.tolist())


def test_weights_decide_how_often_a_source_is_seen() -> None:
    full = store([(n, 1000 + n) for n in range(400)], (2.0, 0.5))
    plan = BatchPlan(full, np.arange(400), 10)
    assert plan.pairs_per_epoch == 2 * 200 + 100
    seen = np.concatenate(list(plan.batches(45)))
    assert 3.5 < (seen < 200).sum() / (seen >= 200).sum() < 4.5


def test_source_batches_hold_one_source() -> None:
    full = store([(n, 1000 + n) for n in range(400)])
    plan = BatchPlan(full, np.arange(400), 20, seed=0, source_batches=1.0)

    for batch in plan.batches(20):
        assert len({row < 200 for row in batch.tolist()}) == 1


def test_too_few_pairs_for_a_batch_is_an_error() -> None:
    with pytest.raises(InputError, match=r"hint: lower training\.batch_size"):
        BatchPlan(store([(0, 1), (2, 3)]), np.arange(2), 3)


def test_sources_of_one_group_share_batches_and_no_others() -> None:
    table = np.array([(n, 1000 + n, -1) for n in range(300)], dtype=np.int32)
    sources = (
        SourceRows("a", 0, 50, 1.0, group="both"),
        SourceRows("b", 50, 100, 1.0, group="both"),
        SourceRows("c", 100, 200, 1.0),
        SourceRows("small", 200, 215, 1.0),
        SourceRows("smaller", 215, 225, 1.0),
    )
    ids = np.empty(0, dtype=np.uint16)
    full = PairStore(ids, np.zeros(1302, dtype=np.int64), table, sources, 10)
    plan = BatchPlan(full, np.arange(225), 10, source_batches=1.0)
    kinds = [
        {("both", "c", "rest")[min(2, row // 100)] for row in batch} for batch in plan.batches(22)
    ]
    assert all(len(kind) == 1 for kind in kinds)
    shared = [set(batch // 50) for batch in plan.batches(22) if batch.max() < 100]
    assert len(shared) == 10
    assert {0, 1} in shared


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(31, 60), st.integers(-20, 60)),
        min_size=16,
        max_size=80,
    )
)
@settings(deadline=None)
def test_no_negative_is_a_side_of_any_pair_of_its_batch(
    triples: list[tuple[int, int, int]],
) -> None:
    table = np.array([(a, b, max(c, -1)) for a, b, c in triples if c not in (a, b)], dtype=np.int32)
    table = table.reshape(-1, 3)
    ids = np.empty(0, dtype=np.uint16)
    full = PairStore(
        ids, np.zeros(62, dtype=np.int64), table, (SourceRows("a", 0, len(table), 1.0),), 1
    )
    try:
        batches = list(BatchPlan(full, np.arange(len(table)), 4, seed=1).batches(6))
    except InputError:
        return  # too few different texts for one batch
    for batch in batches:
        sides = full.pairs[batch, :2].ravel().tolist()
        assert len(set(sides)) == len(sides) == 8
        assert not set(sides) & set(full.pairs[batch, 2].tolist())


def test_pairs_of_a_batch_may_share_a_negative() -> None:
    table = np.array([(n, 100 + n, 999) for n in range(8)], dtype=np.int32)
    ids = np.empty(0, dtype=np.uint16)
    full = PairStore(ids, np.zeros(1001, dtype=np.int64), table, (SourceRows("a", 0, 8, 1.0),), 1)
    (batch,) = BatchPlan(full, np.arange(8), 8).batches(1)
    assert sorted(batch) == list(range(8))


def test_too_few_pairs_say_how_many_were_held_out() -> None:
    full = store([(n, 100 + n) for n in range(50)])
    with pytest.raises(
        InputError,
        match=r"has 3 pairs, a batch 8: of 50 pairs read 47 are held out and 3 are left to train "
        r"on\nhint: lower held_out in \[\[development\]\], or training\.batch_size",
    ):
        BatchPlan(full, np.arange(3), 8)
