"""Retrieval and similarity metrics: pure functions of rankings and judgements.

A ranking is a sequence of document ids, best first. Binary metrics take the set of relevant ids and
equal those of sentence-transformers' `InformationRetrievalEvaluator`; `ndcg` takes gains and equals
trec_eval's `ndcg_cut` (linear gains), which is the same number if every gain is 1.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ACCURACY_AT = PRECISION_AT = RECALL_AT = (1, 3, 5, 10)
NDCG_AT = MRR_AT = (10,)
MAP_AT = (100,)
DEPTH = 100
MAIN_METRIC = "ndcg@10"


def accuracy(ranked: Sequence[str], relevant: Collection[str], *, at: int) -> float:
    """Return 1.0 if a relevant document is among the first `at`, else 0.0."""
    return float(any(doc_id in relevant for doc_id in ranked[:at]))


def precision(ranked: Sequence[str], relevant: Collection[str], *, at: int) -> float:
    """Return the share of relevant documents among the first `at` places, empty places included."""
    return sum(doc_id in relevant for doc_id in ranked[:at]) / at


def recall(ranked: Sequence[str], relevant: Collection[str], *, at: int) -> float:
    """Return the share of the relevant documents that is among the first `at`."""
    return sum(doc_id in relevant for doc_id in ranked[:at]) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str], *, at: int) -> float:
    """Return 1 / rank of the first relevant document among the first `at`, else 0.0."""
    ranks = (rank for rank, doc_id in enumerate(ranked[:at], start=1) if doc_id in relevant)
    return 1.0 / next(ranks, math.inf)


def average_precision(ranked: Sequence[str], relevant: Collection[str], *, at: int) -> float:
    """Return the mean of the precisions at the relevant documents, cut at `at`."""
    n_relevant, total = 0, 0.0
    for rank, doc_id in enumerate(ranked[:at], start=1):
        if doc_id in relevant:
            n_relevant += 1
            total += n_relevant / rank
    return total / min(at, len(relevant))


def ndcg(ranked: Sequence[str], gains: Mapping[str, int], *, at: int) -> float:
    """Return the normalised discounted cumulative gain; 0.0 when nothing is relevant."""
    best = _discounted(sorted(gains.values(), reverse=True)[:at])
    return _discounted([gains.get(doc_id, 0) for doc_id in ranked[:at]]) / best if best else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def retrieval_metrics(
    rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return the mean of every metric over the judged queries, in the order of the model card.

    Args:
        rankings: Query id -> document ids, best first; a query without a ranking scores 0.
        qrels: Query id -> document id -> gain, with at least one gain above 0 per query.

    Returns:
        `accuracy@1` ... `map@100`, binary gains; `graded_ndcg@10` too if a gain exceeds 1.

    Examples:
        >>> metrics = retrieval_metrics({"q": ["d3", "d1"]}, {"q": {"d1": 1}})
        >>> metrics["accuracy@1"], metrics["mrr@10"], round(metrics["ndcg@10"], 4)
        (0.0, 0.5, 0.6309)
    """
    per_query = [_metrics_of_one(rankings.get(query_id, ()), qrels[query_id]) for query_id in qrels]
    means = {
        name: float(np.mean([metrics[name] for metrics in per_query])) for name in per_query[0]
    }
    if all(gain <= 1 for gains in qrels.values() for gain in gains.values()):
        means = {name: value for name, value in means.items() if not name.startswith("graded_")}
    return means


def _metrics_of_one(ranked: Sequence[str], gains: Mapping[str, int]) -> dict[str, float]:
    relevant = {doc_id: 1 for doc_id, gain in gains.items() if gain > 0}
    return {
        **{f"accuracy@{at}": accuracy(ranked, relevant, at=at) for at in ACCURACY_AT},
        **{f"precision@{at}": precision(ranked, relevant, at=at) for at in PRECISION_AT},
        **{f"recall@{at}": recall(ranked, relevant, at=at) for at in RECALL_AT},
        **{f"ndcg@{at}": ndcg(ranked, relevant, at=at) for at in NDCG_AT},
        **{f"mrr@{at}": reciprocal_rank(ranked, relevant, at=at) for at in MRR_AT},
        **{f"map@{at}": average_precision(ranked, relevant, at=at) for at in MAP_AT},
        **{f"graded_ndcg@{at}": ndcg(ranked, gains, at=at) for at in NDCG_AT},
    }


def similarity_metrics(
    similarities: NDArray[np.floating], scores: NDArray[np.floating]
) -> dict[str, float]:
    """Return Pearson's and Spearman's correlation of cosines with given scores, both (n_pairs,).

    Examples:
        >>> cosines, scores = np.array([0.1, 0.4, 0.9]), np.array([1.0, 2.0, 5.0])
        >>> round(similarity_metrics(cosines, scores)["spearman_cosine"], 4)
        1.0
    """
    return {
        "pearson_cosine": pearson(similarities, scores),
        "spearman_cosine": pearson(_average_ranks(similarities), _average_ranks(scores)),
    }


def pearson(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Pearson's correlation; 0.0 if one side is constant."""
    a = first.astype(np.float64) - np.mean(first, dtype=np.float64)
    b = second.astype(np.float64) - np.mean(second, dtype=np.float64)
    norms = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norms if norms else 0.0


def _average_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks
