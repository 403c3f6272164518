"""From a query to the clauses that tantivy sums up, with the other spellings of its words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import tantivy
from tantivy import Occur, Query

from konayuki.search.bm25 import K1, B, idf_of
from konayuki.search.spelling import UNMISTYPED, is_kana, is_long, is_mistyped
from konayuki.search.terms import (
    is_beginning,
    katakana_words,
    other_spellings,
    query_terms,
    query_words,
)

MAX_QUERY_TERMS = 512
OTHER_SPELLING = 0.8  # of the weight of a term or word: exact spellings come first
MOST_COMPLETIONS = 32  # of a word that no document holds, the most frequent ones
_MOST_FREQUENCIES = 10_000  # remembered: some 2 MB
_MOST_LIKE = 5_000  # words that are compared with one that may be mistyped

Term = tuple[str, str]  # field and term


def rules() -> dict[str, float]:
    """Return the constants of a lexical query, for runtimes that do the same."""
    return {"k1": K1, "b": B, "most_terms": MAX_QUERY_TERMS, "other_spelling": OTHER_SPELLING}


class Word(NamedTuple):
    """A word of a query with its other spellings.

    Attributes:
        terms: Those of the word as it was asked for.
        others: The terms of each other spelling, and how likely it is the word that is meant.
        is_reading: Whether it was asked for in kana and is usually spelled otherwise.
    """

    terms: tuple[Term, ...]
    others: tuple[tuple[tuple[Term, ...], float], ...]
    is_reading: bool


class Clauses:
    """Makes queries of texts, for one state of the index.

    Args:
        searcher: The state.
        schema: Of the index.
        n_counted: How many documents tantivy counts for its IDF.
    """

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, n_counted: int) -> None:
        self._searcher = searcher
        self._schema = schema
        self._n_counted = n_counted
        self._completions: dict[str, tuple[str, ...]] = {}
        self._frequencies: dict[Term, int] = {}
        self._last: tuple[str, Query | None] = ("", None)
        self._last_ceiling = ("", 0.0)

    def query(self, text: str) -> Query | None:
        """Return the query of a text, None if it has no terms.

        The last one is remembered: a search asks for the best rows, then for the scores of others.
        """
        last, query = self._last
        if last != text:
            query = self._query(text)
            self._last = (text, query)
        return query

    def _query(self, text: str) -> Query | None:
        others = other_spellings(text)
        terms, words = _terms_and_words(text)
        clauses = [
            (Occur.Should, _boosted(self._term(term, others), float(count)))
            for term, count in terms.items()
        ]
        clauses += [
            (Occur.Should, _boosted(self._word(word, others), float(count)))
            for word, count in words.items()
        ]
        return Query.boolean_query(clauses) if clauses else None

    def ceiling(self, text: str) -> float:
        """Return the BM25 that no document exceeds, see `LexicalView.ceiling`."""
        last, ceiling = self._last_ceiling
        if last != text:
            ceiling = self._ceiling(text)
            self._last_ceiling = (text, ceiling)
        return ceiling

    def _ceiling(self, text: str) -> float:
        others = other_spellings(text)
        terms, words = _terms_and_words(text)
        weights = [count * self._weight(term, others) for term, count in terms.items()]
        for word, count in words.items():
            own = sum(self._weight(term, others) for term in word.terms)
            held = self._held(word)
            weights.append(count * (min(own, _most(held)) if held and word.is_reading else own))
        return float((K1 + 1) * sum(weights))

    def _weight(self, term: Term, others: Mapping[str, Sequence[str]]) -> float:
        """Return the IDF of a term; if no document holds it, the largest of its spellings'."""
        field, text = term
        spellings = self._spellings(term, others)
        if spellings and not self._frequency((field, text)):
            idfs = [
                self._idf((field, other)) for other in spellings if self._frequency((field, other))
            ]
            if idfs:
                return OTHER_SPELLING * max(idfs)
        return self._idf(term)

    def _spellings(self, term: Term, others: Mapping[str, Sequence[str]]) -> Sequence[str]:
        """Return the other spellings of a term, or how it may go on if it was typed in part."""
        field, text = term
        return others.get(text) or (self.completions(text) if field == "grams" else ())

    def completions(self, word: str) -> tuple[str, ...]:
        """Return words of the index that may be meant; none if it holds the word.

        They begin so, or if none does, they differ by one slip of the keys.
        """
        if not is_beginning(word) or self._frequency(("grams", word)):
            return ()
        if word not in self._completions:
            if len(self._completions) > MAX_QUERY_TERMS:
                self._completions.clear()
            terms = self._beginning_with(word, MOST_COMPLETIONS)
            if not terms and is_long(word):
                near = self._beginning_with(word[:UNMISTYPED], _MOST_LIKE)
                terms = [term for term in near if is_mistyped(word, term)][:MOST_COMPLETIONS]
            self._completions[word] = tuple(terms)
        return self._completions[word]

    def _beginning_with(self, start: str, limit: int) -> list[str]:
        """Return the most frequent words that begin so."""
        terms = self._searcher.terms_with_prefix("grams", start, limit=limit)
        return [term for term, _ in terms]

    def _idf(self, term: Term) -> float:
        return idf_of(self._n_counted, self._frequency(term))

    def _frequency(self, term: Term) -> int:
        """Return how many documents hold a term; remembered, for the searcher never changes."""
        count = self._frequencies.get(term)
        if count is None:
            if len(self._frequencies) >= _MOST_FREQUENCIES:
                self._frequencies.clear()
            count = self._frequencies[term] = self._searcher.doc_freq(*term)
        return count

    def _term(self, term: Term, others: Mapping[str, Sequence[str]]) -> Query:
        """Return the query of a term or, for less, of its best other spelling that occurs.

        A rare spelling must not outrank the one that was asked for, so its IDF counts up to that
        of the term.
        """
        field, text = term
        query = self._plain(term)
        spellings = self._spellings(term, others)
        if not spellings or (is_kana(text) and self._frequency((field, text))):
            return query  # kana that occur are spelled as they should be
        held = [other for other in spellings if self._frequency((field, other))]
        if not held:
            return query
        term_idf = self._idf(term)
        spelling_queries = [
            Query.boost_query(
                self._plain((field, other)),
                OTHER_SPELLING * min(1.0, term_idf / self._idf((field, other))),
            )
            for other in held
        ]
        return Query.disjunction_max_query([query, *spelling_queries])

    def _word(self, word: Word, others: Mapping[str, Sequence[str]]) -> Query:
        """Return the query of a word or, for less, of its best other spelling.

        Another spelling counts if a passage holds all of it. It weighs what its own terms weigh,
        and a reading no more than that: four pairs of kana would otherwise count four times as
        much as the one pair of kanji that is the same word.
        """
        own = Query.boolean_query([(Occur.Should, self._term(term, others)) for term in word.terms])
        held = self._held(word)
        if not held:
            return own
        weight = sum(self._weight(term, others) for term in word.terms)
        queries = [_boosted(own, min(1.0, _most(held) / weight) if word.is_reading else 1.0)]
        for terms, share, other_weight in held:
            boost = OTHER_SPELLING * share * min(1.0, weight / other_weight)
            whole = [(Occur.Must, self._plain(term)) for term in terms]
            queries.append(Query.boost_query(Query.boolean_query(whole), boost))
        return Query.disjunction_max_query(queries)

    def _held(self, word: Word) -> list[tuple[tuple[Term, ...], float, float]]:
        """Return those other spellings whose terms all occur, with their share and weight."""
        return [
            (terms, share, sum(map(self._idf, terms)))
            for terms, share in word.others
            if all(self._frequency(term) for term in terms)
        ]

    def _plain(self, term: Term) -> Query:
        return Query.term_query(self._schema, *term, "freq")


def _most(held: Sequence[tuple[tuple[Term, ...], float, float]]) -> float:
    return max(weight for _, _, weight in held)


def _boosted(query: Query, boost: float) -> Query:
    return query if boost == 1 else Query.boost_query(query, boost)


def counted_terms(text: str) -> Counter[Term]:
    """Return the terms of a query with their repetitions."""
    terms = query_terms(text)
    counts = Counter(("grams", gram) for gram in terms.grams)
    counts.update(("characters", character) for character in terms.lone)
    return counts


@lru_cache(maxsize=32)
def _terms_and_words(text: str) -> tuple[Mapping[Term, int], Mapping[Word, int]]:
    """Return the terms of a query outside of words, and its words, with their repetitions."""
    counts = counted_terms(text)
    words: Counter[Word] = Counter()
    if len(counts) <= MAX_QUERY_TERMS:
        for spelled, spellings in query_words(text):
            others = tuple((_terms_of(s.text), s.share) for s in spellings if s.text != spelled)
            own = _terms_of(spelled)
            unusual = len(others) == len(spellings)
            word = Word(own, others, unusual and all(is_kana(text) for _, text in own))
            counts.subtract(word.terms)
            words[word] += 1
        _add_in_hiragana(text, counts, words)
        counts = +counts
    return dict(counts.most_common(MAX_QUERY_TERMS)), words


def _add_in_hiragana(text: str, counts: Counter[Term], words: Counter[Word]) -> None:
    """Add to the words of a query those in katakana, which some write in hiragana.

    Single pairs of hiragana would be found everywhere; all of those of a word are hardly by chance.
    """
    for spelled, kana in katakana_words(text).items():
        own = _terms_of(spelled)
        count = min(counts[term] for term in own)
        if count > 0:
            counts.subtract(dict.fromkeys(own, count))
            words[Word(own, ((_terms_of(kana), 1.0),), is_reading=False)] += count


def _terms_of(spelling: str) -> tuple[Term, ...]:
    if len(spelling) == 1:
        return (("characters", spelling),)
    return tuple(("grams", "".join(pair)) for pair in pairwise(spelling))
