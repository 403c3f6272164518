"""Learn the weights of the second look and of the relevance, from retrieval tasks.

The tasks must come from sources that the model has not seen, or its cosines look better than they
are: a model is trained without some kinds of sources, and asked about those.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.evaluation.sets import RetrievalSet
from konayuki.model import StaticModel
from konayuki.progress import track
from konayuki.search import Index
from konayuki.search.ranker import FEATURES, RAW_FEATURES, Candidates, Ranker

Matrix = NDArray[np.float64]
# Weights are drawn to these: all looks count the same, which needs no task to be learned from.
EVEN = {"dense": 0.5, "lexical": 0.5, "late": 0.5, "sentence": 0.5, "length": -0.25}
L2 = 0.5  # of the distance from them; the best of 0.02 to 0.5 on the tasks
_FOREIGN_QUESTIONS = 40
_STEPS = 30
_LONGEST_STEP = 0.4
_LEADING = 3  # hits of a question that the relevance is learned from
_BINS = 10


@dataclass(frozen=True)
class Asked:
    """A question with its candidates.

    Attributes:
        candidates: What the second look compares.
        gains: int64 (n,), relevance of each candidate; all 0 if nothing answers the question.
        ideal: Gains of all relevant passages, found or not.
    """

    candidates: Candidates
    gains: NDArray[np.int64]
    ideal: Sequence[int] = ()

    @cached_property
    def matrix(self) -> Matrix:
        """Return the features as distances from their mean in standard deviations: (n, 5)."""
        unit = Ranker("", dict.fromkeys(FEATURES, 1.0), {"bias": 0.0})
        parts = unit.parts(self.candidates, len(self.candidates.dense))
        return np.stack([parts[name] for name in FEATURES], axis=1).astype(np.float64)

    def without_answers(self) -> "Asked":
        """Return the question as it is asked if the right passages are not stored."""
        wrong = self.gains == 0
        c = self.candidates
        rest = Candidates(
            dense=c.dense[wrong],
            lexical=c.lexical[wrong],
            late=c.late[wrong],
            sentence=c.sentence[wrong],
            tokens=c.tokens[wrong],
            ceiling=c.ceiling,
        )
        return Asked(rest, self.gains[wrong])


@dataclass(frozen=True)
class RankerTask:
    """Questions that an index answers, and questions of other tasks."""

    name: str
    answered: Sequence[Asked]
    foreign: Sequence[Asked]


def ask_tasks(
    model: StaticModel, sets: Sequence[RetrievalSet], n_queries: int, *, show_progress: bool = False
) -> Iterator[RankerTask]:
    """Yield the candidates of up to `n_queries` questions of each set, and of foreign questions."""
    for number, source in enumerate(track(sets, "ask", unit=" tasks", enabled=show_progress)):
        rng = np.random.default_rng(number)
        others = [text for other in sets if other is not source for text in other.queries.values()]
        n_foreign = min(_FOREIGN_QUESTIONS, len(others))
        foreign = [others[number] for number in rng.permutation(len(others))[:n_foreign]]
        sample = source.sample(n_queries)
        with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i", model) as ix:
            ix.add(records_of(sample, titles=True))
            answered = [
                _ask(ix, text, sample.qrels[query_id]) for query_id, text in sample.queries.items()
            ]
            yield RankerTask(source.name, answered, [_ask(ix, text, {}) for text in foreign])


def _ask(index: Index, text: str, gains: Mapping[str, int]) -> Asked:
    ids, candidates = index.candidates(text)
    values = np.array([gains.get(name, 0) for name in ids], dtype=np.int64)
    return Asked(candidates, values, sorted(gains.values(), reverse=True))


def learn_weights(
    tasks: Sequence[RankerTask], l2: float = L2, features: Sequence[str] = FEATURES
) -> dict[str, float]:
    """Return the weights with the least listwise loss; every task counts the same.

    Features that are not named weigh nothing.

    The loss of a question is the cross-entropy between a softmax over its candidates and its right
    passages, which share the target. It is convex: Newton's method, with bounded steps.
    """
    used = np.array([name in features for name in FEATURES])
    even = np.where(used, [EVEN[name] for name in FEATURES], 0.0)
    weights = even.copy()
    for _ in range(_STEPS):
        gradient, curvature = 2 * l2 * (weights - even), 2 * l2 * np.eye(len(FEATURES))
        for task in tasks:
            answered = [asked for asked in task.answered if asked.gains.any()]
            for asked in answered:
                share = 1 / (len(answered) * len(tasks))
                target = (asked.gains > 0) / np.count_nonzero(asked.gains)
                matrix = asked.matrix * used
                odds = np.exp(matrix @ weights - (matrix @ weights).max())
                odds /= odds.sum()
                mean = odds @ matrix
                gradient += share * (mean - target @ matrix)
                curvature += share * ((matrix * odds[:, None]).T @ matrix - np.outer(mean, mean))
        step = np.linalg.solve(curvature, gradient)
        weights -= step * min(1.0, _LONGEST_STEP / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-5:
            break
    return dict(zip(FEATURES, weights.round(4).tolist(), strict=True))


def quality(tasks: Sequence[RankerTask], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the nDCG@10 of each task."""
    return {task.name: quality_of(task.answered, weights) for task in tasks}


def quality_of(questions: Sequence[Asked], weights: Mapping[str, float]) -> float:
    """Return the mean nDCG@10 of questions."""
    vector = np.array([weights[name] for name in FEATURES])
    return float(np.mean([_ndcg(asked, asked.matrix @ vector) for asked in questions]))


def _ndcg(asked: Asked, scores: NDArray[np.floating]) -> float:
    order = np.argsort(-scores, kind="stable")[:10]
    gains = {str(place): int(gain) for place, gain in enumerate(asked.gains) if gain}
    n_missed = len(asked.ideal) - len(gains)
    gains |= {f"missed {number}": asked.ideal[-1] for number in range(n_missed)}
    return ndcg([str(place) for place in order], gains, at=10)


def weights_left_out(
    tasks: Sequence[RankerTask],
    same_source: Sequence[Sequence[str]] = (),
    features: Sequence[str] = FEATURES,
) -> dict[str, dict[str, float]]:
    """Return by task the weights learned on the tasks of other sources.

    Args:
        tasks: At least two, of two sources.
        same_source: Names of tasks whose passages come from one source.
        features: Those that may be used; the others weigh nothing.
    """
    return {
        task.name: learn_weights(_of_other_sources(tasks, task, same_source), features=features)
        for task in tasks
    }


def _of_other_sources(
    tasks: Sequence[RankerTask], task: RankerTask, same_source: Sequence[Sequence[str]]
) -> list[RankerTask]:
    kin = {task.name, *(name for names in same_source if task.name in names for name in names)}
    return [other for other in tasks if other.name not in kin]


def quality_left_out(
    tasks: Sequence[RankerTask], weights: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return the nDCG@10 of each task with the weights learned without it."""
    return {task.name: quality_of(task.answered, weights[task.name]) for task in tasks}


@dataclass(frozen=True)
class Judged:
    """Leading hits of questions: raw features (n, 6), whether right, weight, and which question.

    Attributes:
        kind: 0 for a question with its answer stored, 1 with it taken out, 2 of another corpus.
        first: Whether a hit is the first of its question.
    """

    raw: Matrix
    right: NDArray[np.bool_]
    weight: NDArray[np.float64]
    kind: NDArray[np.int64]
    first: NDArray[np.bool_]


def judge(tasks: Sequence[RankerTask], ranker: Ranker) -> Judged:
    """Return the leading hits of answerable and unanswerable questions of every task."""
    parts = []
    for task in tasks:
        removed = [asked.without_answers() for asked in task.answered if asked.gains.any()]
        for kind, group in enumerate((task.answered, removed, task.foreign)):
            asked_at_all = [asked for asked in group if len(asked.gains)]
            for asked in asked_at_all:
                parts.append(_leading(asked, ranker, kind, 1 / len(asked_at_all)))
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _leading(asked: Asked, ranker: Ranker, kind: int, weight: float) -> tuple[Any, ...]:
    n = len(asked.gains)
    scores = np.sum(list(ranker.parts(asked.candidates, n).values()), axis=0)
    best = np.argsort(-scores, kind="stable")[:_LEADING]
    raw = asked.candidates.raw_features(scores, n)
    matrix = np.stack([raw[name][best] for name in RAW_FEATURES], axis=1).astype(np.float64)
    places = np.arange(len(best))
    weights = np.where(places == 0, weight, weight / 4)
    return matrix, asked.gains[best] > 0, weights, np.full(len(best), kind), places == 0


def learn_relevance(judged: Judged) -> dict[str, float]:
    """Return the weights of a logistic regression, by name of a raw feature, and "bias".

    No feature may make a hit less relevant by growing: those that would are left out.
    """
    used = np.ones(len(RAW_FEATURES), dtype=np.bool_)
    while True:
        slopes, bias = _logistic(judged.raw[:, used], judged.right, judged.weight)
        if (slopes >= 0).all():
            break
        used[np.flatnonzero(used)[np.argmin(slopes * judged.raw[:, used].std(axis=0))]] = False
    values = np.zeros(len(RAW_FEATURES))
    values[used] = slopes
    named = dict(zip(RAW_FEATURES, values.round(4).tolist(), strict=True))
    return named | {"bias": round(bias, 4)}


def _logistic(
    raw: Matrix, right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return slopes and bias with the least weighted cross-entropy, by Newton's method."""
    mean, spread = raw.mean(axis=0), raw.std(axis=0) + 1e-9
    matrix = np.column_stack([(raw - mean) / spread, np.ones(len(raw))])
    share = weight / weight.sum()
    beta = np.zeros(matrix.shape[1])
    for _ in range(_STEPS):
        odds = 1 / (1 + np.exp(-matrix @ beta))
        gradient = matrix.T @ (share * (odds - right)) + 1e-4 * beta
        curvature = (matrix * (share * odds * (1 - odds))[:, None]).T @ matrix
        step = np.linalg.solve(curvature + 1e-4 * np.eye(len(beta)), gradient)
        beta -= step * min(1.0, 2 / max(np.abs(step).max(), 1e-12))
    slopes = beta[:-1] / spread
    return slopes, float(beta[-1] - slopes @ mean)


def chances_of(judged: Judged, relevance: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the relevance of each hit: (n,)."""
    slopes = np.array([relevance[name] for name in RAW_FEATURES])
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-(judged.raw @ slopes + relevance["bias"])))
    return chances


def judged_left_out(
    tasks: Sequence[RankerTask],
    weights: Mapping[str, Mapping[str, float]],
    calibrated: Sequence[str],
    same_source: Sequence[Sequence[str]] = (),
) -> dict[str, tuple[Judged, NDArray[np.float64]]]:
    """Return the hits of each task with the relevance that was learned without its source.

    Args:
        tasks: Those that the weights were learned from.
        weights: By task, those learned without its source (`weights_left_out`).
        calibrated: Names of the tasks that the relevance is learned and judged on.
        same_source: Names of tasks whose passages come from one source.
    """
    results = {}
    for task in tasks:
        if task.name not in calibrated:
            continue
        ranker = Ranker("", weights[task.name], {"bias": 0.0})
        others = _of_other_sources(tasks, task, same_source)
        relevance = learn_relevance(judge([o for o in others if o.name in calibrated], ranker))
        judged = judge([task], ranker)
        results[task.name] = (judged, chances_of(judged, relevance))
    return results


def pooled(
    results: Mapping[str, tuple[Judged, NDArray[np.float64]]],
) -> tuple[Judged, NDArray[np.float64]]:
    """Return the hits of several tasks as one; every task counts the same."""
    judged = [part for part, _ in results.values()]
    columns = {
        name: np.concatenate([getattr(part, name) for part in judged])
        for name in ("raw", "right", "weight", "kind", "first")
    }
    return Judged(**columns), np.concatenate([chances for _, chances in results.values()])


def relevance_quality(judged: Judged, chances: NDArray[np.float64]) -> dict[str, Any]:
    """Return how well the relevance of first hits tells answerable questions from others.

    Args:
        judged: The hits.
        chances: Their relevance, float64 (n,).
    """
    first = judged.first
    chance = chances[first]
    right, kind = judged.right[first], judged.kind[first]
    weight = judged.weight[first]
    diagram = _reliability(chance, right, weight)
    error = sum(point["weight"] * abs(point["mean"] - point["right"]) for point in diagram)
    return {
        "auroc_other_corpus": auroc(chance[kind == 0], chance[kind == 2]),
        "auroc_answer_removed": auroc(chance[kind == 0], chance[kind == 1]),
        "auroc_right_against_removed": auroc(chance[(kind == 0) & right], chance[kind == 1]),
        "calibration_error": round(error, 4),
        "diagram": diagram,
    }


def _reliability(
    chance: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> list[dict[str, float]]:
    """Return mean relevance, share of right hits and weight of each tenth of the scale."""
    bins = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    diagram = []
    for number in range(_BINS):
        inside = bins == number
        if inside.any():
            share = weight[inside] / weight[inside].sum()
            point = {
                "mean": float(share @ chance[inside]),
                "right": float(share @ right[inside]),
                "weight": float(weight[inside].sum() / weight.sum()),
            }
            diagram.append({name: round(value, 4) for name, value in point.items()})
    return diagram


def auroc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the chance that a positive value lies above a negative one; ties count one half."""
    above = np.searchsorted(np.sort(negative), positive, side="left").sum()
    not_below = np.searchsorted(np.sort(negative), positive, side="right").sum()
    return round(float((above + not_below) / 2 / max(1, len(positive) * len(negative))), 4)
