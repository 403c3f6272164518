"""Japanese text as words of two characters, for full-text engines that split at spaces."""

from collections.abc import Iterator

from konayuki.search.terms import tokens_of
from konayuki.text import fold


def bigrams(text: str) -> str:
    """Return a text as terms between spaces: pairs of characters, and words of spaced scripts.

    >>> bigrams("富士山の高さ 3776m")
    '富士 士山 山の の高 高さ さ 3776m'

    Width and case are folded. Each run ends with its last character alone, so that a phrase may
    go on behind it and a single character is found anywhere.
    """
    return " ".join(_terms(fold(text)))


def bigrams_query(text: str) -> str:
    """Return the expression of SQLite's FTS5 that finds a string in a column of `bigrams`.

    >>> bigrams_query("富士山 高さ")
    '"富士 士山" "高さ"'

    Parts between spaces may stand anywhere; each is found exactly as it is typed, apart from width,
    case and punctuation. A text without letters or digits finds nothing.
    """
    phrases = [phrase for part in fold(text).split() if (phrase := _phrase(part))]
    return " ".join(phrases) or '""'


def _terms(folded: str) -> Iterator[str]:
    for _, run, word in tokens_of(folded):
        if word:
            yield word
        else:
            yield from (run[start : start + 2] for start in range(len(run)))


def _phrase(part: str) -> str:
    terms = list(_terms(part))
    runs = [run for _, run, _ in tokens_of(part)]
    if not terms or not runs[-1]:
        return f'"{" ".join(terms)}"' if terms else ""
    if len(runs[-1]) == 1:  # the character may begin any pair
        return f'"{" ".join(terms)}" *'
    return f'"{" ".join(terms[:-1])}"'
