"""From a question to ranked rows and hits, on one state of the index that never changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatVector, IntVector
from konayuki.search.document import Document
from konayuki.search.documents import Filter
from konayuki.search.fusion import fuse, undecided
from konayuki.search.lexical import LexicalView
from konayuki.search.nearest import VectorView
from konayuki.search.ranker import Candidates, Ranker
from konayuki.search.terms import query_terms
from konayuki.search.token_ids import TokenView

# The best of each half that are looked at twice. The development tasks find no more with 100, which
# take half as long again (docs/lab/decisions.md).
_DEPTH = 50
_FUSED_DEPTH = 100
_FEW_ROWS = 400
_OTHER_SPELLING = np.float32(0.95)  # of late interaction: exact spellings come first
_EXACT = 20.0  # more than all features together: rows that hold the only term come first


class Ranked(NamedTuple):
    """A row with its score; what was not asked for is None.

    Attributes:
        row: The row.
        score: What rows are ordered by.
        lexical: BM25.
        dense: Cosine.
        relevance: How likely the passage answers the question, 0 to 1.
        parts: What each feature adds to the score.
    """

    row: int
    score: float
    lexical: float | None
    dense: float | None
    relevance: float | None = None
    parts: Mapping[str, float] = {}


@dataclass(frozen=True)
class Hit:
    """One answer.

    Attributes:
        id: The user's key.
        score: What the hits are ordered by; comparable within one answer only. Of hybrid search it
            is that of the second look, see `konayuki.search.ranker`, or without one the cosine and
            what the words add to it, see `konayuki.search.fusion`.
        text: The passage.
        title: Title of its document.
        metadata: What was stored with it.
        lexical: BM25, None if the mode does not use it; 0 if no term matches.
        dense: Cosine, None if the mode does not use it.
        document: Key of the document that the passage was cut from, or its own.
        heading: Path of headings above it.
        position: Its place in the document, from 0.
        relevance: How likely the passage answers the question, from 0 to 1; comparable between
            questions. None without a second look.
        parts: What each feature adds to the score, by name; they sum up to it.

    Examples:
        >>> hit = index.search("いちばん大きな湖", k=1)[0]
        >>> hit.id, hit.title, hit.metadata["kind"]
        ('biwa', '琵琶湖', '湖')
        >>> 0 < hit.relevance < 1, abs(sum(hit.parts.values()) - hit.score) < 1e-4
        (True, True)
    """

    id: str
    score: float
    text: str
    title: str
    metadata: Mapping[str, Any]
    lexical: float | None
    dense: float | None
    document: str
    heading: str
    position: int
    relevance: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


class Question(NamedTuple):
    """A query as both halves and the second look take it.

    Attributes:
        text: What was typed.
        vector: float32 (dim,), None if the dense half is not asked.
        filter: (key, allowed values) pairs that must all hold.
        allowed: int64, rows that satisfy the filter, None without one.
        tokens: Token ids of the text, then of the text in other spellings; none if there is no
            second look.
        among: int64, ascending: rows that the lexical half is limited to; None if the filter says
            it all.
    """

    text: str
    vector: NDArray[np.float32] | None
    filter: Filter = ()
    allowed: NDArray[np.int64] | None = None
    tokens: Sequence[NDArray[np.int32]] = ()
    among: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class SecondLook:
    """Candidates with their scores, as columns: few of them become hits.

    Attributes:
        rows: int64 (n,).
        scores: float32 (n,).
        lexical: float32 (n,), BM25.
        dense: float32 (n,), cosines.
        relevance: float32 (n,).
        parts: What each feature adds to the scores, float32 (n,) each.
    """

    rows: IntVector
    scores: FloatVector
    lexical: FloatVector
    dense: FloatVector
    relevance: FloatVector
    parts: Mapping[str, FloatVector]

    def best(self, k: int) -> list[Ranked]:
        """Return at least the `k` best candidates, and all that tie with the last of them."""
        return self._lines(self.leads(k))

    def at(self, rows: Sequence[int]) -> list[Ranked]:
        """Return the candidates that are these rows."""
        return self._lines(np.flatnonzero(np.isin(self.rows, rows)))

    def _lines(self, places: IntVector) -> list[Ranked]:
        columns: list[NDArray[Any]] = [self.rows, self.scores, self.lexical, self.dense]
        columns += [self.relevance, *self.parts.values()]
        lines = zip(*(column[places].tolist() for column in columns), strict=True)
        return [
            Ranked(row, score, words, cosine, share, dict(zip(self.parts, values, strict=True)))
            for row, score, words, cosine, share, *values in lines
        ]

    def leads(self, k: int) -> IntVector:
        """Return the places of at least the `k` best candidates, and of all that tie."""
        if not 0 < k < len(self.scores):
            return np.arange(len(self.scores))
        return np.flatnonzero(self.scores >= np.partition(self.scores, -k)[-k])


@dataclass(frozen=True)
class View:
    """Both halves and the tokens at the same generation.

    Attributes:
        generation: The generation of the documents.
        lexical: The lexical half.
        vectors: The dense half.
        version: What the files looked like when this view was taken.
        tokens: The tokens of the passages; None if the model has no rows of tokens, or if a reader
            finds no usable files of them: hybrid search then goes without a second look.
    """

    generation: int
    lexical: LexicalView
    vectors: VectorView
    version: tuple[int, ...]
    tokens: TokenView | None = None

    def rank_lexical(self, question: Question, k: int) -> list[Ranked]:
        """Rank by BM25: at least `k` rows if that many match, and all that tie with the last."""
        rows, scores = self._matching(question, k)
        pairs = zip(rows.tolist(), scores.tolist(), strict=True)
        return [Ranked(row, score, score, None, parts={"lexical": score}) for row, score in pairs]

    def rank_dense(self, question: Question, k: int) -> list[Ranked]:
        """Rank by cosine: at least `k` rows if there are that many, and all that tie."""
        rows, scores = self._nearest(question, k)
        pairs = zip(rows.tolist(), scores.tolist(), strict=True)
        return [Ranked(row, score, None, score, parts={"dense": score}) for row, score in pairs]

    def rank_fused(self, question: Question, k: int) -> list[Ranked]:
        """Rank by the fused score of the best candidates of both halves."""
        depth = max(_FUSED_DEPTH, 2 * k)
        fused = partial(fuse, ceiling=self.lexical.ceiling(question.text))
        rows, lexical = self._matching(question, depth)
        dense = self.vectors.cosines(rows, _vector(question))
        # A row that is not among the best by words has at most the BM25 of the last of them.
        most = float(lexical[-1]) if len(rows) >= depth else 0.0
        near_rows, near_dense = self._nearest(question, depth)
        only_near = ~is_among(near_rows, np.sort(rows))
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
        lines = zip(*(column.tolist() for column in columns), strict=True)
        return [
            Ranked(row, score, words, cosine, None, {"dense": cosine, "lexical": score - cosine})
            for row, score, words, cosine in lines
        ]

    def second_look(self, question: Question, k: int, ranker: Ranker) -> "SecondLook":
        """Return the best candidates of both halves with the scores of the second look.

        The pool is the same for every `k`, so scores do not depend on it. Beyond the pool, if `k`
        is more, the rows follow in the order of `rank_fused`.
        """
        rows, candidates, n_pool = self.candidates(question, k)
        parts = ranker.parts(candidates, n_pool)
        scores = np.sum(list(parts.values()), axis=0)
        relevance = ranker.relevance_of(candidates, scores, n_pool)
        if is_one_term(question.text):
            parts["exact"] = _EXACT * (candidates.lexical > 0).astype(np.float32)
            scores = scores + parts["exact"]
        if len(rows) > n_pool:
            lowest = scores[:n_pool].min(initial=0)
            parts["beyond"] = np.zeros_like(scores)
            ranks = np.arange(1, len(rows) - n_pool + 1)
            parts["beyond"][n_pool:] = lowest - ranks - scores[n_pool:]
            scores = scores + parts["beyond"]
        return SecondLook(rows, scores, candidates.lexical, candidates.dense, relevance, parts)

    def candidates(self, question: Question, k: int = 0) -> tuple[IntVector, Candidates, int]:
        """Return rows, what is known of them, and how many of them are the pool.

        The pool is the best 50 of each half; if `k` is more, the best others of one look follow.
        """
        assert self.tokens is not None and question.tokens  # noqa: S101 - ours
        near, near_dense = self._nearest(question, _DEPTH)
        rows, lexical, near_lexical = self._matching_with(question, _DEPTH, near)
        dense = self.vectors.cosines(rows, _vector(question))
        only_near = ~is_among(near, np.sort(rows))
        rows = np.concatenate([rows, near[only_near]])
        lexical = np.concatenate([lexical, near_lexical[only_near]])
        dense = np.concatenate([dense, near_dense[only_near]])
        n_pool = len(rows)
        if k > n_pool and n_pool < len(self.vectors):
            pool = set(rows.tolist())
            ordered = leading(self.rank_fused(question, k), k)
            tail = [line for line in ordered if line.row not in pool]
            rows = np.concatenate([rows, np.array([line.row for line in tail], np.int64)])
            more = np.array([line.lexical for line in tail], np.float32)
            lexical = np.concatenate([lexical, more])
            more = np.array([line.dense for line in tail], np.float32)
            dense = np.concatenate([dense, more])
        late, sentence, n_tokens = self.tokens.score(question.tokens[0], rows)
        for tokens in question.tokens[1:]:
            other_late, other_sentence, _ = self.tokens.score(tokens, rows)
            late = np.maximum(late, _OTHER_SPELLING * other_late)
            sentence = np.maximum(sentence, _OTHER_SPELLING * other_sentence)
        ceiling = self.lexical.ceiling(question.text)
        return rows, Candidates(dense, lexical, late, sentence, n_tokens, ceiling), n_pool

    def _matching(
        self, question: Question, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        among, living = question.among, self.vectors.living
        if among is None:
            return self.lexical.best(question.text, k, living, question.filter)
        if len(among) <= _FEW_ROWS:
            return self._matching_of_few(question.text, k, among[living(among)])
        return self.lexical.best(
            question.text, k, lambda rows: living(rows) & is_among(rows, among), question.filter
        )

    def _matching_with(
        self, question: Question, k: int, others: IntVector
    ) -> tuple[IntVector, FloatVector, FloatVector]:
        """Return what `_matching` does, and the BM25 of other rows, 0 for those without a match."""
        if question.among is None:
            living, where = self.vectors.living, question.filter
            return self.lexical.best_with(question.text, k, living, where, others)
        known = self.lexical.scores_of(question.text, others.tolist())
        scores = np.array([known.get(row, 0) for row in others.tolist()], np.float32)
        return *self._matching(question, k), scores

    def _matching_of_few(
        self, text: str, k: int, rows: IntVector
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return what `LexicalView.best` does, from few rows: it would look at all others."""
        known = self.lexical.scores_of(text, rows.tolist())
        pairs = sorted(known.items(), key=lambda pair: -pair[1])
        floor = pairs[k - 1][1] if 0 < k <= len(pairs) else 0.0
        pairs = [pair for pair in pairs if pair[1] >= floor]
        columns = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return columns[0].astype(np.int64), columns[1].astype(np.float32)

    def _nearest(self, question: Question, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return self.vectors.nearest(_vector(question), k, question.allowed)


def rules() -> dict[str, float]:
    """Return the constants of hybrid ranking, for runtimes that do the same."""
    return {"depth": _DEPTH, "exact": _EXACT, "other_spelling": float(_OTHER_SPELLING)}


def is_among(rows: IntVector, ascending: IntVector) -> NDArray[np.bool_]:
    """Return which rows are among others, which must ascend: bool (n,)."""
    if not len(ascending):
        return np.zeros(len(rows), np.bool_)
    places = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    inside: NDArray[np.bool_] = ascending[places] == rows
    return inside


def is_one_term(text: str) -> bool:
    """Return whether a question is one character, one pair of characters or one word."""
    terms = query_terms(text)
    return len({*terms.grams, *terms.lone}) == 1


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


def as_hits(ranked: Sequence[Ranked], documents: Mapping[int, Document]) -> list[Hit]:
    """Return hits, best first; equal scores are ordered by id."""
    hits = []
    for line in ranked:
        document = documents[line.row]
        hit = Hit(
            id=document.id,
            score=line.score,
            text=document.text,
            title=document.title,
            metadata=document.metadata,
            lexical=line.lexical,
            dense=line.dense,
            document=document.chunk_of or document.id,
            heading=document.heading,
            position=document.position,
            relevance=line.relevance,
            parts=line.parts,
        )
        hits.append(hit)
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))
