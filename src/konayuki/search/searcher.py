"""From a checked question to hits, on one committed state of the index."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatVector, IntVector, unit_rows
from konayuki.choices import Mode, Sort
from konayuki.errors import IndexFormatError, InputError, NotFoundError
from konayuki.search import facts, verbatim
from konayuki.search.arguments import no_tokens
from konayuki.search.dates import date_of
from konayuki.search.documents import Filter
from konayuki.search.encoder import TokenEncoder
from konayuki.search.files import HOPELESS
from konayuki.search.phrases import Phrase
from konayuki.search.prepared import prepared
from konayuki.search.query import Query, has_tokens
from konayuki.search.ranker import Candidates, Ranker, ranker_of
from konayuki.search.ranking import Hit, Question, Ranked, View, as_hits, is_among, leading
from konayuki.search.respelled import respelled
from konayuki.search.selection import Selector
from konayuki.search.store import Store
from konayuki.search.terms import katakana_words
from konayuki.text import fold

_ATTEMPTS = 20
_TOKEN_ATTEMPTS = 3
_MORE_ROWS = 20
_DATED_HITS = 100  # at least, of which the newest are shown
_MOST_HOLDING = 5_000  # passages with all terms of a short query that are listed, in under 1 ms
_LIKE_CHARACTERS = 2_000  # of a passage, when others like it are wanted


class Wanted(NamedTuple):
    """What an answer should be like; see `Index.search`."""

    k: int
    mode: Mode = "hybrid"
    where: Filter = ()
    min_relevance: float = 0.0
    distinct: bool = True
    per_document: int | None = None
    rerank: bool = True
    sort: Sort = "score"


class Searcher:
    """Answers from one index.

    Args:
        store: The open folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._documents = store.documents
        self._selector = Selector(store.documents)

    @cached_property
    def ranker(self) -> Ranker | None:
        """The weights of the second look; None if the model has no rows of tokens."""
        model = self._store.model
        return ranker_of(model) if isinstance(model, TokenEncoder) else None

    def search(self, query: Query, wanted: Wanted) -> list[Hit]:
        """Return the hits of a query."""
        text = prepared(query.text)
        has_text = bool(text.strip())
        if wanted.k == 0 or not (has_text or query.restricts):
            return []
        ranker = self.ranker if wanted.rerank and wanted.mode == "hybrid" else None
        vector: FloatVector | None = None
        tokens: Sequence[NDArray[np.int32]] = ()
        if has_text and wanted.mode != "lexical":
            whole = self._store.current().lexical.completed(text)
            vector, tokens = self._asked([text, whole], ranker)
        for attempt in range(_ATTEMPTS):
            view = self._store.current(force=attempt > 0)
            if wanted.min_relevance and has_text and view.tokens is None:
                if attempt < _TOKEN_ATTEMPTS:  # a writer may be replacing them
                    continue
                raise no_tokens(self._store.folder, wanted.min_relevance)
            by_words = wanted.mode == "lexical" and wanted.sort == "score"
            needs_rows = query.restricts or (wanted.where and not by_words)
            allowed = self._selector.rows(view, query, wanted.where) if needs_rows else None
            if has_text:
                among = allowed if query.restricts else None
                question = Question(text, vector, wanted.where, allowed, tokens, among)
                find = self._newest_best if wanted.sort == "date" else self._best
                hits = find(view, question, wanted, ranker)
            else:
                hits = self._newest(view, allowed, wanted.k)
            if self._is_whole(view):
                return hits
        raise self._too_fast()

    def similar(
        self, identity: str, k: int, where: Filter, *, same_document: bool = False
    ) -> list[Hit]:
        """Return the hits that are most like a document.

        Raises:
            NotFoundError: There is no such document.
        """
        document = self._documents.get(identity)
        if document is None:
            raise NotFoundError(f"there is no document {identity!r}")
        text = document.embedded_text[:_LIKE_CHARACTERS]
        if k == 0 or not text.strip():
            return []
        vector, _ = self._asked([text], None)
        key = identity if same_document else document.chunk_of or identity
        for attempt in range(_ATTEMPTS):
            view = self._store.current(force=attempt > 0)
            rows = self._selector.rows(view, Query(""), where)
            rows = view.vectors.rows if rows is None else rows
            others = np.setdiff1d(rows, facts.rows_of_document(self._documents, key))
            question = Question(text, vector, where, others, among=others)
            hits = self._best(view, question, Wanted(k, where=where), None)
            if self._is_whole(view):
                return hits
        raise self._too_fast()

    def nearest(self, vector: FloatVector, k: int, where: Filter) -> list[Hit]:
        """Return the hits whose vectors are nearest to a unit vector."""
        if k == 0:
            return []
        for attempt in range(_ATTEMPTS):
            view = self._store.current(force=attempt > 0)
            question = Question("", vector, where, self._selector.rows(view, Query(""), where))
            hits = self._best(view, question, Wanted(k, mode="dense", distinct=False), None)
            if self._is_whole(view):
                return hits
        raise self._too_fast()

    def candidates(self, text: str) -> tuple[list[str], Candidates]:
        """Return ids and features of what a second look at a question compares, for learning.

        Raises:
            InputError: The model has no rows of tokens.
        """
        view = self._store.current()
        if self.ranker is None or view.tokens is None:
            raise InputError("the model has no rows of tokens: expected a static model")
        text = prepared(text)
        vector, tokens = self._asked([text, view.lexical.completed(text)], self.ranker)
        rows, candidates, _ = view.candidates(Question(text, vector, tokens=tokens))
        documents = self._documents.by_row(rows.tolist())
        return [documents[row].id for row in rows.tolist()], candidates

    def _asked(
        self, texts: Sequence[str], ranker: Ranker | None
    ) -> tuple[FloatVector, Sequence[NDArray[np.int32]]]:
        """Return the vector of a prepared query, and its tokens if there is a second look.

        If words of it have a clear standard spelling or were typed in part, the vector is the mean
        with that of the query in this spelling, whose tokens come second: とうきょう alone says
        little to a model. A lone word in katakana is also looked for in hiragana.

        Args:
            texts: The query, and as its last item the query with whole words.
            ranker: None without a second look.
        """
        model = self._store.model
        texts = list(dict.fromkeys([texts[0], respelled(texts[-1], model.encode)]))
        vectors = model.encode(texts)
        vector = vectors[0] if len(texts) == 1 else unit_rows(vectors.sum(axis=0, keepdims=True))[0]
        if ranker is None:
            return vector, ()
        model = cast("TokenEncoder", model)  # for there is a ranker; to look takes 0.02 ms
        kana = katakana_words(texts[0]).get(fold(texts[0]))  # of a query that is one such word
        return vector, [model.tokenize([text]).ids for text in (*texts, *([kana] if kana else ()))]

    def _is_whole(self, view: View) -> bool:
        """Return whether the dead of a view have not been removed meanwhile."""
        return self._documents.clock().erased <= view.generation

    def _too_fast(self) -> IndexFormatError:
        return IndexFormatError(
            f"{self._store.folder}: the index changes faster than it can be read"
        )

    def _best(
        self, view: View, question: Question, wanted: Wanted, ranker: Ranker | None
    ) -> list[Hit]:
        """Return the best hits of a view; more rows are looked at if some are left out."""
        n_rows = len(view.vectors)
        n_wanted = min(wanted.k, n_rows)
        while True:
            ranked = self._ranked(view, question, n_wanted, wanted.mode, ranker)
            best = leading(ranked, n_wanted)
            documents = self._documents.by_row([line.row for line in best])
            if not set(documents).issuperset(line.row for line in best):
                return []  # some were removed meanwhile: the caller looks again
            hits = without_repetitions(
                as_hits(best, documents),
                distinct=wanted.distinct,
                per_document=wanted.per_document,
            )
            if len(hits) >= min(wanted.k, n_rows) or n_wanted >= n_rows or len(best) < n_wanted:
                least = wanted.min_relevance
                return [hit for hit in hits[: wanted.k] if (hit.relevance or 0.0) >= least]
            n_wanted = min(2 * n_wanted + _MORE_ROWS, n_rows)

    def _newest_best(
        self, view: View, question: Question, wanted: Wanted, ranker: Ranker | None
    ) -> list[Hit]:
        """Return the newest hits: of the best ones, and of all that hold every word of the query.

        What is hardly an answer is left out, unless there is nothing else.
        """
        if wanted.mode == "dense":
            return newest_first(self._best(view, question, wanted, ranker))
        # Of equal passages the newest stays, so what is left out is known only at the end.
        deep = wanted._replace(k=max(wanted.k, _DATED_HITS), distinct=False, per_document=None)
        hits = [hit for hit in self._best(view, question, deep, ranker) if _may_answer(hit)]
        terms = Phrase(question.text).terms if has_tokens(question.text) else []
        rows = view.lexical.rows_with(terms) if terms else view.vectors.rows[:0]
        if question.allowed is not None:
            rows = rows[is_among(rows, question.allowed)]
        newest = np.sort(np.asarray(self._selector.newest(view, rows, deep.k), dtype=np.int64))
        within = question._replace(allowed=newest, among=newest, filter=())
        holding = self._best(view, within, deep, ranker) if len(newest) else []
        hits = list({hit.id: hit for hit in (*holding, *hits)}.values())
        dated = without_repetitions(
            newest_first(hits), distinct=wanted.distinct, per_document=wanted.per_document
        )
        return dated[: wanted.k] or newest_first(self._best(view, question, wanted, ranker))

    def _ranked(
        self, view: View, question: Question, k: int, mode: Mode, ranker: Ranker | None
    ) -> list[Ranked]:
        """Return at least the `k` best rows; with a second look, those that are literally meant."""
        if mode == "lexical":
            return view.rank_lexical(question, k)
        if mode == "dense":
            return view.rank_dense(question, k)
        if ranker is None or view.tokens is None:
            return view.rank_fused(question, k)
        if not verbatim.is_short(question.text):
            return view.second_look(question, k, ranker).best(k)
        look = view.second_look(question, max(k, verbatim.DEPTH), ranker)
        places = look.leads(max(k, verbatim.DEPTH))
        rows = look.rows[places[look.lexical[places] > 0]]
        if not verbatim.has_suffix(question.text):
            # To read and fold a hundred texts takes longer than the search.
            holding = view.lexical.rows_with(Phrase(question.text).terms, _MOST_HOLDING)
            if len(holding) < _MOST_HOLDING:
                rows = rows[is_among(rows, holding)]
        documents = self._documents.by_row(rows.tolist()) if len(rows) else {}
        return verbatim.raised(look, k, question.text, documents)

    def _newest(self, view: View, rows: IntVector | None, k: int) -> list[Hit]:
        """Return the newest of some rows, for a query that has nothing to rank by."""
        rows = view.vectors.rows if rows is None else rows
        newest = self._selector.newest(view, rows, k)
        documents = self._documents.by_row(newest)
        lines = [Ranked(row, 0.0, None, None) for row in newest if row in documents]
        places = {documents[line.row].id: place for place, line in enumerate(lines)}
        return sorted(as_hits(lines, documents), key=lambda hit: places[hit.id])


def newest_first(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits by date; those without one come last, hits of one day keep their order."""
    return sorted(hits, key=lambda hit: date_of(hit.metadata) or date.min, reverse=True)


def _may_answer(hit: Hit) -> bool:
    return bool(hit.lexical) if hit.relevance is None else hit.relevance >= HOPELESS


def without_repetitions(
    hits: Sequence[Hit], *, distinct: bool, per_document: int | None
) -> list[Hit]:
    """Return the hits in their order, without some.

    Args:
        hits: Best first.
        distinct: Whether only the first of hits with the same title, heading and text stays.
        per_document: How many hits of one document stay; None for all.
    """
    seen: set[tuple[str, str, str]] = set()
    counts: Counter[str] = Counter()
    kept = []
    for hit in hits:
        content = (hit.title, hit.heading, hit.text)
        if distinct and content in seen:
            continue
        if per_document is not None and counts[hit.document] == per_document:
            continue
        seen.add(content)
        counts[hit.document] += 1
        kept.append(hit)
    return kept
