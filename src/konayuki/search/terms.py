"""Text into the terms that the lexical half matches."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import add
from typing import NamedTuple

from konayuki.search.spelling import alternatives, in_hiragana, stems
from konayuki.search.words import Spelling, words_in
from konayuki.text import HIRAGANA, JAPANESE, KATAKANA, fold

# Raise it whenever `prepared` or `terms_of` gives other terms for the same text: an index made with
# another version is then indexed again from its documents (1: before wrapping was undone; 2: before
# stems without okurigana).
ANALYZER_VERSION = 3

# Scripts that are written without spaces: these, hangul, Thai, Lao, Khmer, Burmese.
_UNSPACED = f"{JAPANESE}\u1100-\u11ff\uac00-\ud7af\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
_SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"
_TOKEN = re.compile(f"([{_UNSPACED}]+)|([^\\W{_UNSPACED}]+|[{_SYMBOLS}])")
WORD_CHARACTER = f"[^\\W{_UNSPACED}]"  # of scripts with spaces: for a regular expression
_WORD = re.compile(WORD_CHARACTER)
_PARTS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_KANA = re.compile(f"[{HIRAGANA}{KATAKANA}]")
_LONGEST_WORD = 64
_SHORTEST_BEGINNING = 3


class Terms(NamedTuple):
    """The terms of a text, in its order, repeated as it repeats them.

    Attributes:
        grams: Character 2-grams of unspaced runs, whole words of spaced scripts, symbols; of
            passages also the stems that stay without okurigana.
        characters: Every character of the unspaced runs.
        lone: The characters among them that stand alone and are part of no 2-gram.
    """

    grams: list[str]
    characters: list[str]
    lone: list[str]


class Token(NamedTuple):
    """A run of an unspaced script, or a word.

    Attributes:
        start: Offset in the folded text.
        run: The characters of the run, "" for a word.
        word: The word, "" for a run.
    """

    start: int
    run: str
    word: str


def rules() -> dict[str, str | float]:
    """Return what cuts a folded text, for runtimes that do the same.

    The classes are the inside of a regular expression's [...].
    """
    return {
        "version": ANALYZER_VERSION,
        "unspaced": _UNSPACED,
        "symbols": _SYMBOLS,
        "longest_word": _LONGEST_WORD,
        "kana": f"{HIRAGANA}{KATAKANA}",
    }


def tokens_of(folded: str) -> Iterator[Token]:
    """Yield the runs and words of a folded text; a word is cut at its 64th character."""
    for match in _TOKEN.finditer(folded):
        yield Token(match.start(), match[1] or "", (match[2] or "")[:_LONGEST_WORD])


def terms_of(text: str) -> Terms:
    """Return the terms of a passage after NFKC folding and lower-casing."""
    return _terms(text, stems)


def _terms(text: str, more_grams: Callable[[str], list[str]]) -> Terms:
    grams: list[str] = []
    characters: list[str] = []
    lone: list[str] = []
    for run, word in _TOKEN.findall(fold(text)):
        if not run:
            grams.append(word[:_LONGEST_WORD])
        elif len(run) == 1:
            characters.append(run)
            lone.append(run)
        else:
            grams.extend(map(add, run, run[1:]))
            grams.extend(more_grams(run))
            characters.extend(run)
    return Terms(grams, characters, lone)


def is_word(term: str) -> bool:
    """Return whether a term is a word of a script with spaces: it must not be part of a longer one.

    The others are characters, pairs of characters and symbols.
    """
    return _WORD.match(term) is not None


def begins_word(folded: str, place: int) -> bool:
    """Return whether a word that stands at a place is the beginning of what is written there."""
    return place == 0 or _WORD.match(folded, place - 1) is None


def ends_word(folded: str, place: int, length: int) -> bool:
    """Return whether a word of a length is all of what begins at a place, as far as it counts."""
    return length == _LONGEST_WORD or _WORD.match(folded, place + length) is None


def is_beginning(term: str) -> bool:
    """Return whether a term is a word that may have been typed in part: Postg for PostgreSQL."""
    return len(term) >= _SHORTEST_BEGINNING and term[0].isalpha()


@lru_cache(maxsize=32)
def query_terms(query: str) -> Terms:
    """Return the terms of a prepared query; remembered, for scores, ceiling and snippets ask it."""
    return _terms(query, lambda _: [])


def completed(query: str, longer: Mapping[str, str]) -> str:
    """Return a query, folded, with some of its words replaced by longer ones."""
    return _TOKEN.sub(lambda match: longer.get(match[2] or "", match[0]), fold(query))


@lru_cache(maxsize=32)
def other_spellings(query: str) -> dict[str, tuple[str, ...]]:
    """Return the other spellings of those 2-grams of a prepared query that have some."""
    others: dict[str, tuple[str, ...]] = {}
    for run, _ in _TOKEN.findall(fold(query)):
        if len(run) > 1:
            others |= alternatives(run)
    return others


@lru_cache(maxsize=32)
def query_words(query: str) -> list[tuple[str, Sequence[Spelling]]]:
    """Return the words of a prepared query with their usual spellings.

    A word that has no spelling but the one in the query is left out.
    """
    words = []
    for run, _ in _TOKEN.findall(fold(query)):
        for word in words_in(run) if len(run) > 1 else ():
            spelled = run[word.start : word.end]
            if any(spelling.text != spelled for spelling in word.spellings):
                words.append((spelled, word.spellings))
    return words


def katakana_words(query: str) -> dict[str, str]:
    """Return the words in katakana of a prepared query, and each of them in hiragana."""
    return {
        word: kana
        for run, _ in _TOKEN.findall(fold(query))
        for word, kana in in_hiragana(run).items()
    }


@lru_cache(maxsize=32)
def spelled_parts(query: str) -> list[tuple[str, Sequence[Spelling]]]:
    """Return a prepared query, folded, as words that are more often spelled otherwise and the rest.

    The usual spellings stand with each of those words; none with the rest.
    """
    parts: list[tuple[str, Sequence[Spelling]]] = []
    for run in _PARTS.findall(fold(query)):
        start = 0
        for word in words_in(run) if len(run) > 1 else ():
            spelled = run[word.start : word.end]
            if _is_spelled_otherwise(spelled, word.spellings):
                parts += [(run[start : word.start], ()), (spelled, word.spellings)]
                start = word.end
        parts.append((run[start:], ()))
    return parts


def _is_spelled_otherwise(spelled: str, spellings: Sequence[Spelling]) -> bool:
    """Return whether a word has a more frequent spelling that is the same word for certain.

    That is so if its own spelling is not usual, or differs in kana only: 速い may not become 早い.
    """
    usual = spellings[0].text
    if all(spelled != spelling.text for spelling in spellings):
        return True
    return spelled != usual and _KANA.sub("", spelled) == _KANA.sub("", usual)
