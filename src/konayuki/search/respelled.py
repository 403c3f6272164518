"""A question in the spelling that passages are most likely to have: とうきょう becomes 東京.

A reading of several words becomes the one that fits the rest of the question best.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.search.terms import spelled_parts
from konayuki.search.words import Spelling

CLEAR_SHARE = 0.5  # of the cases: a spelling that is at least that likely is taken
LONGEST = 1000  # characters of a query; a longer one has enough words that are spelled as usual
_FIT = 20.0  # what a cosine with the rest of the question counts for, in logarithms of shares


def respelled(query: str, encode: Callable[[Sequence[str]], FloatMatrix]) -> str:
    """Return a prepared query in its likely spelling; the query itself if no word changes.

    Width and case are folded if a word changes.

    Args:
        query: The query.
        encode: Gives the vectors of texts, float32 (n, dim).
    """
    parts = spelled_parts(query) if len(query) <= LONGEST else []
    if not any(spellings for _, spellings in parts):
        return query
    unclear = [spellings for _, spellings in parts if spellings and not _clear(spellings)]
    rest = "".join(_clear(spellings) if spellings else part for part, spellings in parts)
    fitting = iter(_fitting(unclear, rest, encode))
    chosen = [
        (_clear(spellings) or next(fitting) or part) if spellings else part
        for part, spellings in parts
    ]
    if all(new == part for new, (part, _) in zip(chosen, parts, strict=True)):
        return query
    return "".join(chosen)


def _clear(spellings: Sequence[Spelling]) -> str:
    """Return the first spelling if it is the only one that can be meant, "" if not."""
    first = spellings[0]
    alone = len(spellings) == 1 and first.share >= CLEAR_SHARE
    return first.text if alone or first.share >= 1 else ""


def _fitting(
    words: Sequence[Sequence[Spelling]],
    rest: str,
    encode: Callable[[Sequence[str]], FloatMatrix],
) -> Iterator[str]:
    """Yield for each word the spelling that fits the rest of a question, "" if none is clear."""
    if not words:
        return
    vectors = encode([rest, *(spelling.text for spellings in words for spelling in spellings)])
    cosines = vectors[1:] @ vectors[0]
    start = 0
    for spellings in words:
        shares = np.array([spelling.share for spelling in spellings])
        odds = shares * np.exp(_FIT * cosines[start : start + len(shares)])
        odds *= shares.sum() / odds.sum()
        start += len(shares)
        best = int(odds.argmax())
        yield spellings[best].text if odds[best] >= CLEAR_SHARE else ""
