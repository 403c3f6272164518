"""From a query to ranked rows, on one state of the index that never changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.search.documents import Filter
from konayuki.search.fusion import fuse, undecided
from konayuki.search.lexical import LexicalView
from konayuki.search.vectors import VectorView

_DEPTH = 100


class Ranked(NamedTuple):
    """A row with its score and the two parts of it; a part that was not asked for is None."""

    row: int
    score: float
    lexical: float | None
    dense: float | None


class Question(NamedTuple):
    """A query as both halves take it.

    Attributes:
        text: What was typed.
        vector: float32 (dim,), None if the dense half is not asked.
        filter: (key, allowed values) pairs that must all hold.
        allowed: int64, rows that satisfy the filter, None without one.
    """

    text: str
    vector: NDArray[np.float32] | None
    filter: Filter = ()
    allowed: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class View:
    """Both halves at the same generation.

    Attributes:
        generation: The generation of the documents.
        lexical: The lexical half.
        vectors: The dense half.
        version: What the files looked like when this view was taken.
    """

    generation: int
    lexical: LexicalView
    vectors: VectorView
    version: tuple[int, ...]

    def lexically(self, question: Question, k: int) -> list[Ranked]:
        """Rank by BM25: at least `k` rows if that many match, and all that tie with the last."""
        rows, scores = self._matching(question, k)
        pairs = zip(rows.tolist(), scores.tolist(), strict=True)
        return [Ranked(row, score, score, None) for row, score in pairs]

    def densely(self, question: Question, k: int) -> list[Ranked]:
        """Rank by cosine: at least `k` rows if there are that many, and all that tie."""
        rows, scores = self._nearest(question, k)
        pairs = zip(rows.tolist(), scores.tolist(), strict=True)
        return [Ranked(row, score, None, score) for row, score in pairs]

    def both_ways(self, question: Question, k: int) -> list[Ranked]:
        """Rank by the fused score of the best candidates of both halves."""
        depth = max(_DEPTH, 2 * k)
        fused = partial(fuse, ceiling=self.lexical.ceiling(question.text))
        rows, lexical = self._matching(question, depth)
        dense = self.vectors.cosines(rows, _vector(question))
        # Whoever is not among the best by words has at most the BM25 of the last of them.
        most = float(lexical[-1]) if len(rows) >= depth else 0.0
        near_rows, near_dense = self._nearest(question, depth)
        only_near = ~np.isin(near_rows, rows)
        near_rows, near_dense = near_rows[only_near], near_dense[only_near]
        near_lexical = np.zeros_like(near_dense)
        if most > 0 and k > 0:
            bounds = (fused(near_lexical, near_dense), fused(near_lexical + most, near_dense))
            open_rows = undecided(fused(lexical, dense), *bounds, k)
            scores = self.lexical.scores_of(question.text, near_rows[open_rows].tolist())
            near_lexical = np.array([scores.get(row, 0) for row in near_rows.tolist()], np.float32)
        rows = np.concatenate([rows, near_rows])
        lexical = np.concatenate([lexical, near_lexical])
        dense = np.concatenate([dense, near_dense])
        columns = (rows, fused(lexical, dense), lexical, dense)
        return [Ranked(*line) for line in zip(*(c.tolist() for c in columns), strict=True)]

    def _matching(
        self, question: Question, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return self.lexical.best(question.text, k, self.vectors.living, question.filter)

    def _nearest(self, question: Question, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return self.vectors.nearest(_vector(question), k, question.allowed)


def _vector(question: Question) -> NDArray[np.float32]:
    assert question.vector is not None  # noqa: S101 - ours: only lexical questions go without
    return question.vector


def leading(ranked: Sequence[Ranked], k: int) -> list[Ranked]:
    """Return the `k` best and all that tie with the last of them, best first."""
    ordered = sorted(ranked, key=lambda line: -line.score)
    if 0 < k < len(ordered):
        floor = ordered[k - 1].score
        return [line for line in ordered if line.score >= floor]
    return ordered
