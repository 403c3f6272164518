from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.model.late import LateKernel, LateTable, PassageTokens, QueryTokens
from konayuki.model.packed import PackedTable, quantize
from konayuki.model.weights import Weights, straight_tanh

from .native.levels import at, each_level


def weights_of(rows: np.ndarray) -> Weights:
    ones = np.ones(rows.shape[1], np.float32)
    return Weights(quantize(rows), ones, ones, 0 * ones)


def passages(
    rng: np.random.Generator, vocabulary: int, count: int, dtype: type, table: LateTable
) -> PassageTokens:
    """PassageTokens of a few sentences, some empty, in which sentences may be empty too."""
    sizes = rng.integers(0, 30, count)
    ids = rng.integers(0, vocabulary, sizes.sum()).astype(dtype)
    ends = np.cumsum(sizes)
    cuts = [[*np.sort(rng.integers(0, size + 1, 2)).tolist(), int(size)] for size in sizes]
    bounds = [0]
    for end, size, inside in zip(ends.tolist(), sizes.tolist(), cuts, strict=True):
        bounds += [end - size + cut for cut in inside]
    lengths = table.sentence_lengths(ids.astype(np.int32), np.array(bounds, np.int64))
    sentence_ends = np.array(cuts, np.uint32).reshape(-1)
    last = 3 * np.arange(1, count + 1, dtype=np.int64)
    starts = (ends - sizes).astype(np.int64)
    return PassageTokens(ids, sentence_ends, lengths, starts, ends.astype(np.int64), last - 3, last)


def by_definition(rows: np.ndarray, query: QueryTokens, mean: np.ndarray, asked: PassageTokens):
    """Late interaction and best sentence in double precision, as the formulas say."""
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = []
    spans = zip(asked.starts, asked.ends, asked.first, asked.last, strict=True)
    for start, end, first, last in spans:
        ids = asked.ids[start:end].astype(int)
        if not len(ids) or not len(query.ids):
            scores.append((0.0, 0.0))
            continue
        late = query.weights @ (units[query.ids] @ units[ids].T).max(axis=1)
        bounds = [0, *asked.sentence_ends[first:last].tolist()]
        means = [rows[ids[a:b]].mean(axis=0) for a, b in pairwise(bounds) if a < b]
        cosines = [mean @ one / np.linalg.norm(mean) / np.linalg.norm(one) for one in means]
        scores.append((late, max(cosines)))
    return np.array(scores).reshape(-1, 2).T


@each_level
@given(
    seed=st.integers(0, 2**32),
    vocabulary=st.integers(1, 300),
    dim=st.sampled_from([2, 6, 64, 130, 256, 512]),
    n_query=st.integers(0, 60),
    count=st.integers(0, 40),
    dtype=st.sampled_from([np.uint16, np.int32]),
)
@settings(max_examples=25, deadline=None)
def test_scores_are_what_the_formulas_say(level, seed, vocabulary, dim, n_query, count, dtype):
    rng = np.random.default_rng(seed)
    weights = weights_of(rng.standard_normal((vocabulary, dim)).astype(np.float32))
    table = LateTable(weights)
    packed = weights.table
    assert isinstance(packed, PackedTable)
    columns = min(dim, 256)
    ids = rng.integers(0, vocabulary, n_query)
    query = table.query(ids, rng.random(vocabulary).astype(np.float32))
    asked = passages(rng, vocabulary, count, dtype, table)
    rows = packed.rows(np.arange(vocabulary), columns).astype(np.float64)
    mean = rows[ids].mean(axis=0) if n_query else np.zeros(columns)

    late, sentence = LateKernel(at(level), packed.codes, packed.scales, columns).score(query, asked)

    expected = by_definition(rows, query, mean, asked)
    assert np.allclose(late, expected[0], atol=2e-5)
    assert np.allclose(sentence, expected[1], atol=2e-4)
    assert np.allclose(table._score_in_numpy(query, asked), expected, atol=2e-4)


@each_level
def test_every_level_gives_the_same_bits(level):
    rng = np.random.default_rng(3)
    weights = weights_of(rng.standard_normal((500, 256)).astype(np.float32))
    table = LateTable(weights)
    query = table.query(rng.integers(0, 500, 40), rng.random(500).astype(np.float32))
    asked = passages(rng, 500, 60, np.uint16, table)
    packed = weights.packed_table()

    first = LateKernel(at("scalar"), packed.codes, packed.scales, 256).score(query, asked)
    scores = LateKernel(at(level), packed.codes, packed.scales, 256).score(query, asked)

    assert np.array_equal(first, scores)


def test_a_token_id_outside_the_table_is_refused():
    table = LateTable(weights_of(np.eye(4, dtype=np.float32)))
    place = np.array([0], np.int64)
    asked = PassageTokens(
        np.array([7], np.uint16), np.array([1], np.uint32), np.ones(1, np.float32), place,
        place + 1, place, place + 1,
    )  # fmt: skip
    query = table.query(np.array([1]), np.ones(4, np.float32))
    with pytest.raises((InputError, IndexError)):
        table.score(query, asked)
    with pytest.raises((InputError, IndexError)):
        table.sentence_lengths(np.array([7], np.int32), np.array([0, 1], np.int64))


def test_counts_are_passages_not_occurrences():
    table = LateTable(weights_of(np.eye(4, dtype=np.float32)))
    counts = np.zeros(4, np.int32)
    ids, ends = np.array([1, 1, 2, 1], np.uint16), np.array([3, 3, 4], np.int64)
    table.count(ids, ends, 0, counts)
    assert counts.tolist() == [0, 2, 1, 0]
    table.count(ids, ends, 2, counts)
    assert counts.tolist() == [0, 3, 1, 0]


def test_only_the_heaviest_tokens_of_a_very_long_question_count():
    rng = np.random.default_rng(0)
    table = LateTable(weights_of(rng.standard_normal((400, 8)).astype(np.float32)))
    query = table.query(np.arange(400), rng.random(400).astype(np.float32))
    assert len(query.ids) == 128
    assert np.isclose(query.weights.sum(), 1)


def test_a_row_of_zeros_has_the_same_scores_with_and_without_the_kernel():
    rows = np.random.default_rng(5).normal(size=(30, 16)).astype(np.float32)
    rows[4] = 0.0
    table = LateTable(Weights(quantize(rows, nearest=True), *straight_tanh(16)))
    ids = np.array([4, 1, 2, 4, 3, 9], dtype=np.int32)
    offsets = np.array([0, 2, 4, 6])
    lengths = table.sentence_lengths(ids, offsets)
    passages = PassageTokens(
        ids, np.array([2, 4, 2], np.uint32), lengths,
        np.array([0, 4]), np.array([4, 6]), np.array([0, 2]), np.array([2, 3]),
    )  # fmt: skip
    query = table.query(np.array([4, 2, 7]), np.ones(30, np.float32))
    late, sentence = table.score(query, passages)
    expected_late, expected_sentence = table._score_in_numpy(query, passages)
    np.testing.assert_allclose(late, expected_late, atol=1e-5)
    np.testing.assert_allclose(sentence, expected_sentence, atol=1e-5)
    assert np.isfinite(late).all()
    assert table.norms[4] == 0
