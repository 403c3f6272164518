"""The part of a passage that answers a query, and at which offsets its words match."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import add
from typing import NamedTuple

from konayuki.search.prepared import prepared, span_of, traced, unwrapped
from konayuki.search.terms import (
    has_words,
    is_beginning,
    other_spellings,
    query_terms,
    query_words,
    tokens_of,
)
from konayuki.text import fold, sentence_ends

# A character with the marks that NFKC may melt into it, as half-width kana have.
_CLUSTER = re.compile("(?s:.)[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*")
_MARK = re.compile("[\u0300-\u036f\u3099\u309a\uff9e\uff9f]")
_ELLIPSIS = "…"
_FEW_TERMS = 64  # with more of them, time would grow with the query as well as with the text


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
    if not text:
        return []
    visible, offsets = traced(text)
    folded, starts = _fold(visible)
    marked = bytearray(len(folded) + 1)
    for start, end in _matches(folded, query):
        marked[start:end] = b"\1" * (end - start)
    runs = re.finditer(b"\1+", bytes(marked))
    spans = [(starts[run.start()], starts[run.end()]) for run in runs]
    return _joined([span_of(text, offsets, a, b) for a, b in spans if a < b])


class _Wanted(NamedTuple):
    """The terms of a query that are looked for in a text."""

    grams: frozenset[str]
    lone: frozenset[str]
    beginnings: frozenset[str]
    has_words: bool


@lru_cache(maxsize=32)
def _wanted(query: str) -> _Wanted:
    """Return the terms of a query; remembered, for every hit of an answer asks it."""
    query = prepared(query)
    terms = query_terms(query)
    spellings = [one.text for _, others in query_words(query) for one in others]
    grams = frozenset(terms.grams).union(*other_spellings(query).values())
    grams = grams.union(map("".join, (pair for word in spellings for pair in pairwise(word))))
    lone = frozenset([*terms.lone, *(word for word in spellings if len(word) == 1)])
    beginnings = frozenset(filter(is_beginning, terms.grams))
    return _Wanted(grams, lone, beginnings, has_words(terms))


def _matches(folded: str, query: str) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) offsets of terms of a query in a folded text."""
    grams, lone, beginnings, with_words = _wanted(query)
    if len(grams) + len(lone) <= _FEW_TERMS and not with_words:
        # Looking for each term takes a tenth of the time of looking at each pair of characters.
        for term in grams | lone:
            place = folded.find(term)
            while place >= 0:
                yield place, place + len(term)
                place = folded.find(term, place + 1)
        return
    tokens = list(tokens_of(folded))
    absent = tuple(beginnings.difference(word for _, _, word in tokens)) if beginnings else ()
    for start, run, word in tokens:
        if word:
            if word in grams:
                yield start, start + len(word)
            elif word.startswith(absent):
                length = max(len(typed) for typed in absent if word.startswith(typed))
                yield start, start + length
            continue
        for place, pair in enumerate(map(add, run, run[1:]), start):
            if pair in grams:
                yield place, place + 2
        if lone:
            yield from ((place, place + 1) for place, c in enumerate(run, start) if c in lone)


def snippet(text: str, query: str, width: int = 120) -> Snippet:
    """Return the stretch of about `width` characters that holds most of the query.

    It starts with a sentence if that keeps the matches in it. Without any match it is the
    beginning of the text. Single line breaks between kana and kanji are left out.

    Examples:
        >>> text = "富士山は静岡県と山梨県にまたがる。標高は3776メートルで、日本の最高峰である。"
        >>> snippet(text, "日本の最高峰", width=24).text
        '…標高は3776メートルで、日本の最高峰である。'
    """
    text = unwrapped(text)
    if len(text) <= width:
        return Snippet(text, highlight(text, query))
    spans = highlight(text, query)
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
    candidates = sentence_starts | {max(0, start - width // 6) for start, _ in spans}
    latest = max(0, len(text) - width // 2)
    words = [text[start:end] for start, end in spans]
    # A longer match says more than two short ones, and the same one again says little.
    weights = {word: len(word) ** 1.5 for word in words}
    counts: dict[str, int] = {}  # of the matches in the window, which moves to the right
    first = last = 0
    total = 0.0
    best = (-1.0, False, 0)
    for start in sorted(place for place in candidates if place <= latest):
        before = first, last
        while last < len(spans) and spans[last][1] <= start + width:
            counts[words[last]] = counts.get(words[last], 0) + 1
            last += 1
        while first < last and spans[first][0] < start:
            counts[words[first]] -= 1
            first += 1
        if before != (first, last):
            total = sum(
                [
                    weights[word] if n == 1 else weights[word] * 1.1 ** (n - 1)
                    for word, n in counts.items()
                    if n
                ]
            )
            if len(counts) > width:
                counts = {word: n for word, n in counts.items() if n}
        best = max(best, (total, start in sentence_starts, start))
    return best[2]


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """Return the text folded as terms are, and the offset in `text` of every folded character."""
    lower = text.lower()
    # Most text is in this form already, and then character by character would cost ten times more.
    plain = len(lower) == len(text) and unicodedata.is_normalized("NFKC", text)
    if plain and _MARK.search(text) is None:
        return lower, range(len(text) + 1)
    parts: list[str] = []
    starts: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        folded = fold(cluster[0])
        parts.append(folded)
        starts.extend([cluster.start()] * len(folded))
    starts.append(len(text))
    return "".join(parts), starts


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
