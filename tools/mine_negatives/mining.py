"""Hard negatives: passages that look right for a query and are not, judged by the teacher.

Candidates come as lists of rows, best first: from BM25, from the teacher's vectors, from other
sources. A candidate that the teacher scores near the query's own passage may well answer the query
too, so it is dropped; of the others the first N of each list are taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from konayuki.arrays import top_k
from konayuki.errors import InputError
from mine_negatives.bigrams import FloatArray, RowMatrix

BLOCK_QUERIES = 1024  # 40 MB of scores against 10,000 passages

Vectors = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class NegativeFilter:
    """When a candidate counts as a second right answer: above either bound.

    The bounds are `ratio * p` and `p - margin`, with `p` the teacher's score of the query's own
    passage. Scores of e5 are narrow: about 0.88 for the right passage and 0.77 for a random one, so
    that 0.95 would drop the nearest seventeen passages of a question and leave only easy ones.
    """

    ratio: float = 0.98
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.ratio <= 1 and self.margin >= 0):
            raise InputError(f"{self}: expected 0 < ratio <= 1 and margin >= 0")

    def bounds(self, positive_scores: FloatArray) -> FloatArray:
        """Return the highest score that a negative may have, per query."""
        lower = np.minimum(self.ratio * positive_scores, positive_scores - self.margin)
        return np.asarray(lower, dtype=np.float32)


@dataclass(frozen=True)
class Negatives:
    """The negatives of each query, and what the teacher says of them.

    `rows` are int32 (n_queries, n_negatives), -1 if too few were left; `scores` are float16
    (n_queries, 1 + n_negatives): the query's own passage, then its negatives, NaN next to a -1.
    """

    rows: RowMatrix
    scores: npt.NDArray[np.float16]


def nearest_passages(queries: Vectors, passages: Vectors, k: int) -> RowMatrix:
    """Return the `k` passages of the highest inner product: int32 (n_queries, min(k, n_passages)).

    Equal scores keep the order of passages.
    """
    right = np.asarray(passages, dtype=np.float32).T
    blocks = range(0, len(queries), BLOCK_QUERIES)
    found = [
        top_k(np.asarray(queries[start : start + BLOCK_QUERIES], dtype=np.float32) @ right, k)[0]
        for start in blocks
    ]
    if not found:
        return np.empty((0, min(k, len(passages))), np.int32)
    return np.concatenate(found).astype(np.int32)


def pair_scores(queries: Vectors, passages: Vectors, rows: RowMatrix) -> FloatArray:
    """Return the inner product of each query with its `rows` of passages, NaN next to a -1."""
    scores = np.empty(rows.shape, dtype=np.float32)
    for start in range(0, len(rows), BLOCK_QUERIES):
        block = slice(start, start + BLOCK_QUERIES)
        left = np.asarray(queries[block], dtype=np.float32)
        right = np.asarray(passages[rows[block]], dtype=np.float32)  # (block, k, dim)
        scores[block] = np.einsum("qd,qkd->qk", left, right)
    scores[rows < 0] = np.nan
    return scores


def mine(
    queries: Vectors,
    passages: Vectors,
    positives: npt.NDArray[np.integer[Any]],
    lists: Sequence[tuple[RowMatrix, int]],
    *,
    keep: NegativeFilter,
    also_right: RowMatrix | None = None,
) -> Negatives:
    """Return the negatives of each query.

    Args:
        queries: Teacher vectors (n_queries, dim).
        passages: Teacher vectors of every passage that may be a negative (n_passages, dim).
        positives: The row of each query's own passage (n_queries,).
        lists: Candidate rows, best first and -1 for none (n_queries, m), each with how many to
            take of it. What an earlier list gave is not taken again; places that a list cannot
            fill stay -1, so that a column always comes from the same list.
        keep: Which candidates are left.
        also_right: Further rows that are known to be right (n_queries, any), -1 for none.

    Raises:
        InputError: The arrays do not fit each other.
    """
    _check(queries, positives, lists)
    own_rows = positives[:, None].astype(np.int32)
    banned = own_rows if also_right is None else np.concatenate([own_rows, also_right], axis=1)
    own_scores = pair_scores(queries, passages, own_rows)
    bounds = keep.bounds(own_scores)
    columns, column_scores = [], [own_scores]
    for candidates, n_wanted in lists:
        scores = pair_scores(queries, passages, candidates)
        allowed = (candidates >= 0) & (scores <= bounds) & ~_among(candidates, banned)
        rows, places = first_allowed(candidates, allowed, n_wanted)
        columns.append(rows)
        column_scores.append(_taken(scores, places))
        banned = np.concatenate([banned, rows], axis=1)
    scores_of_all = np.concatenate(column_scores, axis=1).astype(np.float16)
    return Negatives(np.concatenate(columns, axis=1), scores_of_all)


def first_allowed(
    candidates: RowMatrix, allowed: npt.NDArray[np.bool_], n_wanted: int
) -> tuple[RowMatrix, RowMatrix]:
    """Return the first `n_wanted` allowed candidates of each line and their places; -1 for none."""
    rows = np.full((len(candidates), n_wanted), -1, dtype=np.int32)
    places = np.full_like(rows, -1)
    rank = np.cumsum(allowed, axis=1) - 1
    lines, columns = np.nonzero(allowed & (rank < n_wanted))
    rows[lines, rank[lines, columns]] = candidates[lines, columns]
    places[lines, rank[lines, columns]] = columns
    return rows, places


def right_answers(
    queries: Sequence[str], positives: npt.NDArray[np.integer[Any]], *, at_most: int = 16
) -> RowMatrix:
    """Return the passages that pairs with the same query name: int32 (n_queries, at_most), or -1.

    A query with more right passages than `at_most` keeps the first.
    """
    of_query: dict[str, dict[int, None]] = {}
    for query, row in zip(queries, positives.tolist(), strict=True):
        of_query.setdefault(query, {})[row] = None
    right = np.full((len(queries), at_most), -1, dtype=np.int32)
    for line, query in zip(right, queries, strict=True):
        rows = list(of_query[query])[:at_most]
        line[: len(rows)] = rows
    return right


def _among(candidates: RowMatrix, banned: RowMatrix) -> npt.NDArray[np.bool_]:
    is_right = np.zeros(candidates.shape, dtype=bool)
    for column in banned.T:
        is_right |= candidates == column[:, None]
    return is_right


def _taken(scores: FloatArray, places: RowMatrix) -> FloatArray:
    if not scores.shape[1]:
        return np.full(places.shape, np.nan, dtype=np.float32)
    chosen = np.take_along_axis(scores, np.maximum(places, 0), axis=1)
    return np.where(places >= 0, chosen, np.float32(np.nan))


def _check(
    queries: Vectors,
    positives: npt.NDArray[np.integer[Any]],
    lists: Sequence[tuple[RowMatrix, int]],
) -> None:
    lengths = [len(positives), *(len(candidates) for candidates, _ in lists)]
    if any(length != len(queries) for length in lengths):
        raise InputError(f"{len(queries)} queries with arrays of {lengths}: expected equal lengths")
    if not lists:
        raise InputError("no list of candidates: expected at least one")
