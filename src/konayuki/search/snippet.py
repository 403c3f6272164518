"""The part of a passage that answers a query, and at which offsets its words match."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from math import fsum
from operator import add
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.search.prepared import is_prepared, prepared, span_of, traced, unwrapped
from konayuki.search.terms import (
    begins_word,
    ends_word,
    is_beginning,
    is_word,
    other_spellings,
    query_terms,
    query_words,
)
from konayuki.text import fold, sentence_ends

# A character with the marks that NFKC may melt into it, as half-width kana have.
_CLUSTER = re.compile("(?s:.)[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*")
_MARK = re.compile("[\u0300-\u036f\u3099\u309a\uff9e\uff9f]")
_ELLIPSIS = "…"
_SEPARATOR = "\0"  # of texts that are looked at together: part of no term
_HASHES = np.uint32(1 << 13)
_AGAIN = 1.1  # what a word counts that is in the window once more
_SHORT = 150  # characters; calls of NumPy cost more than they save in a shorter text


class Snippet(NamedTuple):
    """A part of a passage.

    Attributes:
        text: The part; "…" replaces what was cut off.
        spans: (start, end) offsets of matching words in it, ascending, not touching.

    Examples:
        >>> from konayuki.search import snippet
        >>> text, spans = snippet("標高は3776メートルである。", "標高")
        >>> [text[start:end] for start, end in spans]
        ['標高']
    """

    text: str
    spans: list[tuple[int, int]]


def highlight(text: str, query: str) -> list[tuple[int, int]]:
    """Return the (start, end) offsets in a text at which terms of a query stand.

    Matching is that of the lexical half: width and case do not matter, nor does a line break
    inside a Japanese word. A Latin word that the text does not have is marked as the beginning of
    others. Spans that touch are one. Takes time linear in the length of the text,
    however many terms the query has.

    Examples:
        >>> text = "標高は3776メートルである。"
        >>> [text[start:end] for start, end in highlight(text, "標高　３７７６")]
        ['標高', '3776']
    """
    return highlights([text], query)[0]


def highlights(texts: Sequence[str], query: str) -> list[list[tuple[int, int]]]:
    """Return what `highlight` does for each text: faster than one by one, if they are short."""
    joined = _SEPARATOR.join(texts)
    if is_prepared(joined) and (folded := _folded_alike(joined)) is not None:
        return _spans_by_text(folded, list(map(len, texts)), query)
    traces = [traced(text) for text in texts]
    folds = [_fold(visible) for visible, _ in traces]
    joined = _SEPARATOR.join(folded for folded, _ in folds)
    by_text = _spans_by_text(joined, [len(folded) for folded, _ in folds], query)
    return [
        _joined(
            [
                span_of(text, offsets, starts[a], starts[b])
                for a, b in spans
                if starts[a] < starts[b]
            ]
        )
        for text, (_, offsets), (_, starts), spans in zip(
            texts, traces, folds, by_text, strict=True
        )
    ]


def _spans_by_text(folded: str, lengths: Sequence[int], query: str) -> list[list[tuple[int, int]]]:
    """Return the spans that match in each of some folded texts, which stand in one string."""
    starts = list(accumulate((length + 1 for length in lengths), initial=0))
    by_text: list[list[tuple[int, int]]] = [[] for _ in lengths]
    number = 0
    for start, end in _joined(_matches(folded, query, starts)):
        while start >= starts[number + 1]:
            number += 1
        by_text[number].append((start - starts[number], end - starts[number]))
    return by_text


class _Wanted(NamedTuple):
    """The terms of a query that are looked for in a text.

    Attributes:
        pairs: Pairs of characters.
        lone: Characters, and symbols.
        words: Words of scripts with spaces.
    """

    pairs: frozenset[str]
    lone: frozenset[str]
    words: frozenset[str]


@lru_cache(maxsize=32)
def _wanted(query: str) -> _Wanted:
    """Return the terms of a query; remembered, for every hit of an answer asks it."""
    query = prepared(query)
    terms = query_terms(query)
    spellings = [one.text for _, others in query_words(query) for one in others]
    words = frozenset(filter(is_word, terms.grams))
    grams = {*terms.grams, *chain.from_iterable(other_spellings(query).values())} - words
    grams.update(pair for word in spellings for pair in map(add, word, word[1:]))
    lone = {*terms.lone, *(word for word in spellings if len(word) == 1)}
    lone.update(gram for gram in grams if len(gram) == 1)
    return _Wanted(frozenset(grams - lone), frozenset(lone), words)


def _matches(folded: str, query: str, starts: Sequence[int]) -> list[tuple[int, int]]:
    """Return the (start, end) offsets of terms of a query in folded texts that stand in one string.

    Args:
        folded: The texts, with a separator between them.
        query: The query.
        starts: Where each text starts, and behind the last one.
    """
    pairs, lone, words = _wanted(query)
    matches = [(place, place + 2) for place in _pair_places(folded, pairs)]
    for character in lone:
        matches += [(place, place + 1) for place in _places(folded, character)]
    for word in words:
        standing = [place for place in _places(folded, word) if begins_word(folded, place)]
        length = len(word)
        whole = [place for place in standing if ends_word(folded, place, length)]
        having = {bisect_right(starts, place) for place in whole}
        if len(whole) < len(standing) and is_beginning(word):
            whole += [place for place in standing if bisect_right(starts, place) not in having]
        matches += [(place, place + length) for place in whole]
    return sorted(matches) if lone or words else matches


def _places(text: str, part: str) -> Iterator[int]:
    """Yield every place at which a part stands in a text."""
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def _pair_places(text: str, pairs: frozenset[str]) -> list[int]:
    """Return every place at which one of some pairs of characters stands, in linear time.

    A table of hashes leaves few places to look at: all at once takes a tenth of the time of
    looking for each pair, or at each place.
    """
    if len(text) < _SHORT:
        return [place for place, pair in enumerate(map(add, text, text[1:])) if pair in pairs]
    codes = _hashes_of(text)
    table = np.zeros(_HASHES, np.bool_)
    table[_hashes_of("".join(pairs))[::2]] = True
    places: list[int] = np.flatnonzero(table[codes]).tolist()
    return [place for place in places if text[place : place + 2] in pairs]


def _hashes_of(text: str) -> NDArray[np.uint32]:
    """Return a number below `_HASHES` for each pair of neighbours in a text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    hashes: NDArray[np.uint32] = (codes[:-1] * np.uint32(257) + codes[1:]) & (
        _HASHES - np.uint32(1)
    )
    return hashes


def snippet(text: str, query: str, width: int = 120) -> Snippet:
    """Return the stretch of about `width` characters that holds most of the query.

    It starts with a sentence if that keeps the matches in it. Without any match it is the
    beginning of the text. Single line breaks between kana and kanji are left out.

    Examples:
        >>> text = "富士山は静岡県と山梨県にまたがる。標高は3776メートルで、日本の最高峰である。"
        >>> snippet(text, "日本の最高峰", width=24).text
        '…標高は3776メートルで、日本の最高峰である。'
    """
    return snippets([text], query, width)[0]


def snippets(texts: Sequence[str], query: str, width: int = 120) -> list[Snippet]:
    """Return what `snippet` does for each text: faster than one by one, if they are short."""
    visible = [unwrapped(text) for text in texts]
    spans = highlights(visible, query)
    return [_part(*line, width) for line in zip(visible, spans, strict=True)]


def _part(text: str, spans: list[tuple[int, int]], width: int) -> Snippet:
    """Return the stretch of a text that holds most of some spans."""
    if len(text) <= width:
        return Snippet(text, spans)
    start = _best_start(text, spans, width)
    end = min(len(text), start + width)
    before, after = _ELLIPSIS * (start > 0), _ELLIPSIS * (end < len(text))
    shift = len(before) - start
    inside = [
        (max(a, start) + shift, min(b, end) + shift) for a, b in spans if a < end and b > start
    ]
    return Snippet(before + text[start:end] + after, inside)


def _best_start(text: str, spans: list[tuple[int, int]], width: int) -> int:
    """Return the start of the window whose matches are the longest and the most various."""
    if not spans:
        return 0
    sentence_starts = {0, *sentence_ends(text)}
    latest = max(0, len(text) - width // 2)
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    others = {max(0, start - width // 6) for start in starts}
    # A window that holds all matches is worth most, and usually there is one.
    lowest, highest = ends[-1] - width, min(starts[0], latest)
    for places in (sentence_starts, others) if lowest <= highest else ():
        holding = [place for place in places if lowest <= place <= highest]
        if holding:
            return max(holding)
    words = [text[start:end] for start, end in spans]
    # A longer match says more than two short ones, and the same one again says little.
    weights = {word: len(word) ** 1.5 for word in words}
    before, total = (-1, -1), 0.0
    best = (-1.0, False, 0)
    for start in sorted(place for place in sentence_starts | others if place <= latest):
        window = bisect_left(starts, start), bisect_right(ends, start + width)
        if window != before:
            before = window
            counts: dict[str, int] = {}
            for word in words[slice(*window)]:
                counts[word] = counts.get(word, 0) + 1
            # Exact, so that windows with the same words are worth the same in any order.
            total = fsum([weights[word] * _AGAIN ** (n - 1) for word, n in counts.items()])
        best = max(best, (total, start in sentence_starts, start))
    return best[2]


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """Return the text folded as terms are, and the offset in `text` of every folded character."""
    lower = _folded_alike(text)
    if lower is not None:
        return lower, range(len(text) + 1)
    parts: list[str] = []
    starts: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        folded = fold(cluster[0])
        parts.append(folded)
        starts.extend([cluster.start()] * len(folded))
    starts.append(len(text))
    return "".join(parts), starts


def _folded_alike(text: str) -> str | None:
    """Return a text folded if each character stays at its place; None if it may not.

    Most text is in this form already, and character by character would cost ten times more.
    """
    lower = text.lower()
    plain = len(lower) == len(text) and unicodedata.is_normalized("NFKC", text)
    return lower if plain and _MARK.search(text) is None else None


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
