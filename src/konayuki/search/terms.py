"""Text into the terms that the lexical half matches."""

import re
from operator import add
from typing import NamedTuple

from konayuki.text import JAPANESE, fold

# Scripts that are written without spaces: these, hangul, Thai, Lao, Khmer, Burmese.
_UNSPACED = f"{JAPANESE}\u1100-\u11ff\uac00-\ud7af\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
_SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"
_TOKEN = re.compile(f"([{_UNSPACED}]+)|([^\\W{_UNSPACED}]+|[{_SYMBOLS}])")
_LONGEST_WORD = 64


class Terms(NamedTuple):
    """The terms of a text, in its order, repeated as it repeats them.

    Attributes:
        grams: Character 2-grams of unspaced runs, whole words of spaced scripts, symbols.
        characters: Every character of the unspaced runs.
        lone: The characters among them that stand alone and are part of no 2-gram.
    """

    grams: list[str]
    characters: list[str]
    lone: list[str]


def terms_of(text: str) -> Terms:
    """Return the terms of a text after NFKC folding and lower-casing."""
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
            characters.extend(run)
    return Terms(grams, characters, lone)
