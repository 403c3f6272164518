"""Metrics against hand-computed numbers, sentence-transformers, trec_eval and SciPy."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.evaluation.metrics import (
    accuracy,
    average_precision,
    ndcg,
    pearson,
    precision,
    recall,
    reciprocal_rank,
    retrieval_metrics,
    similarity_metrics,
)

RANKED = ["a", "b", "c", "d", "e"]


def test_metrics_of_a_ranking_counted_by_hand() -> None:
    relevant = {"b", "d", "z"}

    assert accuracy(RANKED, relevant, at=1) == 0.0
    assert accuracy(RANKED, relevant, at=2) == 1.0
    assert precision(RANKED, relevant, at=4) == 2 / 4
    assert precision(RANKED, relevant, at=10) == 2 / 10
    assert recall(RANKED, relevant, at=4) == 2 / 3
    assert reciprocal_rank(RANKED, relevant, at=10) == 1 / 2
    assert reciprocal_rank(RANKED, relevant, at=1) == 0.0
    assert average_precision(RANKED, relevant, at=100) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert average_precision(RANKED, relevant, at=2) == pytest.approx((1 / 2) / 2)


def test_graded_ndcg_counted_by_hand() -> None:
    gains = {"a": 1, "c": 3, "z": 2}
    found = 1 / math.log2(2) + 3 / math.log2(4)
    best = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)

    assert ndcg(RANKED, gains, at=10) == pytest.approx(found / best)
    assert ndcg(RANKED, {}, at=10) == 0.0


def test_graded_ndcg_is_reported_only_where_gains_differ() -> None:
    rankings = {"q": RANKED}

    assert "graded_ndcg@10" not in retrieval_metrics(rankings, {"q": {"a": 1}})
    graded = retrieval_metrics(rankings, {"q": {"a": 1, "b": 2}})
    assert graded["graded_ndcg@10"] < graded["ndcg@10"] == 1.0


def test_a_question_without_a_ranking_scores_zero() -> None:
    metrics = retrieval_metrics({"q1": ["a"]}, {"q1": {"a": 1}, "q2": {"b": 1}})

    assert metrics["accuracy@1"] == metrics["ndcg@10"] == metrics["map@100"] == 0.5


def random_case(
    seed: int, *, largest_gain: int
) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Return rankings and judgements over a pool of documents, some of them not retrieved."""
    draw = random.Random(seed)  # noqa: S311 - test data
    pool = [f"d{number}" for number in range(400)]
    rankings = {f"q{number}": draw.sample(pool, draw.randint(0, 150)) for number in range(60)}
    qrels = {
        query_id: {
            doc: draw.randint(1, largest_gain)
            for doc in draw.sample(pool, draw.choice([1, 2, 7, 120]))
        }
        for query_id in rankings
    }
    return rankings, qrels


@pytest.mark.parametrize("seed", range(3))
def test_binary_metrics_equal_those_of_sentence_transformers(seed: int) -> None:
    evaluation = pytest.importorskip("sentence_transformers.evaluation")
    rankings, qrels = random_case(seed, largest_gain=1)
    evaluator = evaluation.InformationRetrievalEvaluator(
        queries={query_id: query_id for query_id in qrels},
        corpus={f"d{number}": "x" for number in range(400)},
        relevant_docs={query_id: set(gains) for query_id, gains in qrels.items()},
    )

    theirs = evaluator.compute_metrics(
        [
            [
                {"corpus_id": doc, "score": 1.0 - rank / 1000}
                for rank, doc in enumerate(ranking[:100])
            ]
            for ranking in rankings.values()
        ]
    )

    expected = {
        kind.replace("@k", f"@{at}"): value
        for kind, by_at in theirs.items()
        for at, value in by_at.items()
    }
    assert retrieval_metrics(rankings, qrels) == pytest.approx(expected, abs=1e-9)


def test_graded_ndcg_equals_trec_eval() -> None:
    ir_measures = pytest.importorskip("ir_measures")
    rankings, qrels = random_case(7, largest_gain=3)
    scored = {
        query_id: {doc: 1000.0 - rank for rank, doc in enumerate(ranking)}
        for query_id, ranking in rankings.items()
    }

    per_query = {
        one.query_id: one.value
        for one in ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, scored)
    }

    expected = sum(per_query.values()) / len(qrels)  # it leaves out what retrieved nothing
    assert retrieval_metrics(rankings, qrels)["graded_ndcg@10"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("decimals", [8, 1])  # one decimal: many ties
def test_correlations_equal_those_of_scipy(decimals: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(5)
    first = draw.normal(size=500).round(decimals)
    second = (first + draw.normal(size=500)).round(decimals)

    ours = similarity_metrics(first, second)

    assert ours["spearman_cosine"] == pytest.approx(
        stats.spearmanr(first, second).statistic, abs=1e-9
    )
    assert ours["pearson_cosine"] == pytest.approx(
        stats.pearsonr(first, second).statistic, abs=1e-9
    )


def test_a_constant_side_correlates_with_nothing() -> None:
    assert pearson(np.ones(4), np.arange(4.0)) == 0.0


@given(
    st.permutations([f"d{number}" for number in range(12)]), st.sets(st.integers(0, 11), min_size=1)
)
def test_every_metric_lies_between_zero_and_one_and_is_one_for_the_best_order(
    ranked: list[str], relevant: set[int]
) -> None:
    gains = {f"d{number}": 1 for number in relevant}
    metrics = retrieval_metrics({"q": ranked}, {"q": gains})
    best = sorted(ranked, key=lambda doc: doc not in gains)

    assert all(0.0 <= value <= 1.0 for value in metrics.values())
    ideal = retrieval_metrics({"q": best}, {"q": gains})
    assert ideal["ndcg@10"] == ideal["map@100"] == ideal["mrr@10"] == pytest.approx(1.0)
    assert all(value <= ideal[name] + 1e-12 for name, value in metrics.items())
