"""Exact phrases: the terms that a passage with one must have, and whether it really has it."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property

from konayuki.search.prepared import prepared
from konayuki.search.terms import WORD_CHARACTER, tokens_of
from konayuki.text import fold

_WORD = re.compile(WORD_CHARACTER)


class Phrase:
    """A phrase as it is compared: without regard to width, case and how white space is written.

    Args:
        text: What was typed.
    """

    def __init__(self, text: str) -> None:
        self.folded = _one_spaced(fold(prepared(text)))
        self._has_space = " " in self.folded
        self._ends_in_words = any(map(_WORD.match, (self.folded[0], self.folded[-1])))

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The (field, term) pairs of the lexical index that every passage with it has."""
        terms: dict[tuple[str, str], None] = {}
        for _, run, word in tokens_of(self.folded):
            if word:
                terms["grams", word] = None
            elif len(run) == 1:  # in the passage it may be a part of a longer run
                terms["characters", run] = None
            terms.update({("grams", run[i : i + 2]): None for i in range(len(run) - 1)})
        return list(terms)

    def occurs_in(self, parts: Iterable[str]) -> bool:
        """Return whether one of the parts of a document (title, heading, text) contains it."""
        return any(self._occurs(part) for part in parts if part)

    def _occurs(self, text: str) -> bool:
        # Most texts that have it have it as it is, which is ten times as fast to see.
        as_it_is = not self._ends_in_words and self.folded in text
        if as_it_is and unicodedata.is_normalized("NFKC", text):
            return True
        text = fold(prepared(text))
        if self._has_space:
            text = _one_spaced(text)
        return self.folded in text and self._pattern.search(text) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        starts, ends = map(_WORD.match, (self.folded[0], self.folded[-1]))
        before = f"(?<!{WORD_CHARACTER})" if starts else ""
        behind = f"(?!{WORD_CHARACTER})" if ends else ""
        return re.compile(f"{before}{re.escape(self.folded)}{behind}")


def _one_spaced(text: str) -> str:
    return " ".join(text.split())
