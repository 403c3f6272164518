"""Exact phrases: the terms that a passage with one must have, and whether it really has it."""

import re
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
        self.folded = _comparable(text)
        self._tokens = list(tokens_of(self.folded))

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The (field, term) pairs of the lexical index that every passage with it has."""
        terms: dict[tuple[str, str], None] = {}
        for _, run, word in self._tokens:
            if word:
                terms["grams", word] = None
            elif len(run) == 1:  # in the passage it may be a part of a longer run
                terms["characters", run] = None
            terms.update({("grams", run[i : i + 2]): None for i in range(len(run) - 1)})
        return list(terms)

    @property
    def is_one_term(self) -> bool:
        """Whether every passage with its term has the phrase, so that no text must be read.

        Not so for pairs of characters: passages have some that stand for other spellings.
        """
        if len(self._tokens) != 1:
            return False
        _, run, word = self._tokens[0]
        return self.folded == (run if len(run) == 1 else word)

    def occurs_in(self, parts: Iterable[str]) -> bool:
        """Return whether one of the parts of a document (title, heading, text) contains it."""
        return any(self._pattern.search(_comparable(part)) for part in parts if part)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        starts, ends = (_WORD.match(character) for character in (self.folded[0], self.folded[-1]))
        before = f"(?<!{WORD_CHARACTER})" if starts else ""
        behind = f"(?!{WORD_CHARACTER})" if ends else ""
        return re.compile(f"{before}{re.escape(self.folded)}{behind}")


def _comparable(text: str) -> str:
    return " ".join(fold(prepared(text)).split())
