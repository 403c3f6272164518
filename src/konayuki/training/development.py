"""Retrieval tasks held out of the training data: what checkpoints and settings are chosen on.

Of a source, some passages are held out together with every query that leads to them, in every
source. They are searched for among other passages of the source, which training does see: as in
the evaluation sets, the needles are new and the hay is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, top_k, unit_rows
from konayuki.errors import InputError
from konayuki.evaluation.metrics import ndcg
from konayuki.model.pooling import Pooler
from konayuki.model.weights import Weights
from konayuki.training.pair_store import PairStore, SourceRows
from konayuki.training.recipe import DevelopmentSettings

CUT_OFF = 10
QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Task:
    """Queries, the passages to find them in, all by text number, and the right passages."""

    name: str
    queries: NDArray[np.int64]  # (n_queries,)
    corpus: NDArray[np.int64]  # (n_passages,)
    answers: tuple[frozenset[int], ...]  # of each query: rows of the corpus


def hold_out(
    store: PairStore, settings: Sequence[DevelopmentSettings]
) -> tuple[list[Task], NDArray[np.int64]]:
    """Return the tasks and the rows of pairs that are left to train on.

    The tasks do not depend on the seed of the training, so that runs compare, and one that starts
    from another holds out what that one did.

    Raises:
        InputError: No source has the name that a task asks for.
    """
    tasks = [
        make_task(store, _source_named(store, table.source), table, seed=number)
        for number, table in enumerate(settings)
    ]
    held = np.zeros(store.n_texts + 1, dtype=bool)  # the last one, at -1, is "no negative"
    for task in tasks:
        held[task.queries] = True
        held[task.corpus[sorted(set().union(*task.answers))]] = True
    # Queries of held-out passages that the task did not sample must not be trained on either, nor
    # pairs whose negative is held out: they would teach that it answers nothing.
    rows = np.flatnonzero(~held[store.pairs].any(axis=1))
    return tasks, rows


def make_task(
    store: PairStore, source: SourceRows, settings: DevelopmentSettings, *, seed: int
) -> Task:
    """Return the task held out of one source.

    Passages that answer an asked query but are not held out are left out of the corpus: training
    saw them, so that they are not needles, and they are not hay either.
    """
    rng = np.random.default_rng(seed)
    pairs = np.asarray(store.pairs[source.start : source.stop, :2], dtype=np.int64)
    passages = rng.permutation(np.unique(pairs[:, 1]))
    corpus = passages[: settings.corpus]
    held = passages[: min(settings.held_out, len(corpus))]
    answered: dict[int, list[int]] = {}
    for query, passage in pairs[np.isin(pairs[:, 1], held)]:
        answered.setdefault(int(query), []).append(int(passage))
    asked = sorted(answered)
    queries = np.array(asked, dtype=np.int64)[rng.permutation(len(asked))[: settings.queries]]
    answers_anywhere = np.asarray(store.pairs[np.isin(store.pairs[:, 0], queries), 1])
    corpus = corpus[~np.isin(corpus, np.setdiff1d(answers_anywhere, held))]
    row_of = {int(passage): row for row, passage in enumerate(corpus)}
    answers = tuple(frozenset(map(row_of.__getitem__, answered[int(query)])) for query in queries)
    return Task(source.name, queries, corpus, answers)


def score_tasks(
    weights: Weights, store: PairStore, tasks: Sequence[Task], dims: Sequence[int]
) -> dict[str, float]:
    """Return nDCG@10 by `task`, `task@dim` for the smaller dims, and `mean` likewise.

    Without tasks there is nothing to return.
    """
    scores: dict[str, float] = {}
    pooler = Pooler(weights)
    for task in tasks:
        queries = pooler.pool(store.bags(task.queries), dim=weights.dim, normalize=False)
        passages = pooler.pool(store.bags(task.corpus), dim=weights.dim, normalize=False)
        for dim in dims:
            name = task.name if dim == weights.dim else f"{task.name}@{dim}"
            scores[name] = mean_ndcg(unit_rows(queries, dim), unit_rows(passages, dim), task)
    for dim in dims if tasks else ():
        suffix = "" if dim == weights.dim else f"@{dim}"
        scores[f"mean{suffix}"] = float(np.mean([scores[task.name + suffix] for task in tasks]))
    return scores


def named_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """Return scores under the names of `train.json`, to four places."""
    return {f"{name}_ndcg@10": round(value, 4) for name, value in scores.items()}


def mean_ndcg(queries: FloatMatrix, passages: FloatMatrix, task: Task) -> float:
    """Return the mean nDCG@10 of unit vectors."""
    total = 0.0
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        best, _ = top_k(queries[start : start + QUERIES_AT_ONCE] @ passages.T, CUT_OFF)
        for ranked, answers in zip(best, task.answers[start:], strict=False):
            gains: Mapping[str, int] = {str(row): 1 for row in answers}
            total += ndcg([str(row) for row in ranked], gains, at=CUT_OFF)
    return total / max(1, len(queries))


def _source_named(store: PairStore, pattern: str) -> SourceRows:
    for source in store.sources:
        if fnmatch(source.name, pattern):
            return source
    known = ", ".join(source.name for source in store.sources)
    raise InputError(f"development.source is {pattern!r}: expected one of the sources: {known}")
