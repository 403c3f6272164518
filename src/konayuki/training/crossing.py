"""Sentences that are alike to a degree, made by crossing others at their particles.

Paraphrases are alike and two random sentences are not; how alike a man on a horse is to a man on
a bicycle, neither tells a student. A teacher can, if it is asked about such pairs. Here the phrases
of sentences change places: every group holds a sentence, its paraphrase, some sentences that begin
like it, some that end like it, and the sentence without one of its phrases.
"""

import re
from collections.abc import Sequence

import numpy as np

GROUP = 8  # sentences: the two of the pair, and
SAME_BEGINNING, SAME_END = 3, 2  # and one that lacks a phrase
# Behind a particle or comma, before a kanji or katakana: most such places are between phrases.
PHRASES = re.compile("(?<=[がはをにでと、])(?=[一-龯ァ-ヶ々])")


def crossed_groups(
    pairs: Sequence[tuple[str, str]], n_groups: int, rng: np.random.Generator
) -> list[list[str]]:
    """Return groups of `GROUP` sentences; none where no sentence has two phrases.

    Args:
        pairs: sentences and their paraphrases.
        n_groups: sentences take turns, in random order, until there are so many.
        rng: decides what meets.
    """
    paraphrase = {one: other for pair in reversed(pairs) for one, other in (pair, pair[::-1])}
    phrases = {text: PHRASES.split(text) for text in paraphrase}
    divided = {text: parts for text, parts in phrases.items() if len(parts) > 1}
    crossing = _Crossing(list(divided.values()), rng)
    texts = list(divided)
    turns = [
        order for _ in range(-(-n_groups // max(1, len(texts)))) for order in _shuffled(texts, rng)
    ]
    return [
        [text, paraphrase[text], *crossing.relatives(divided[text])] for text in turns[:n_groups]
    ]


class _Crossing:
    """Beginnings and ends of sentences, by the particle between them."""

    def __init__(self, sentences: Sequence[Sequence[str]], rng: np.random.Generator) -> None:
        self._rng = rng
        self._beginnings: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}
        for parts in sentences:
            for place in range(1, len(parts)):
                beginning, end = _cut(parts, place)
                self._beginnings.setdefault(beginning[-1], []).append(beginning)
                self._ends.setdefault(beginning[-1], []).append(end)

    def relatives(self, parts: Sequence[str]) -> list[str]:
        """Return `GROUP` - 2 sentences that share phrases with this one."""
        found = []
        for _ in range(SAME_BEGINNING):
            beginning, _ = self._cut(parts)
            found.append(beginning + self._one_of(self._ends[beginning[-1]]))
        for _ in range(SAME_END):
            beginning, end = self._cut(parts)
            found.append(self._one_of(self._beginnings[beginning[-1]]) + end)
        left_out = int(self._rng.integers(len(parts)))
        return [*found, "".join([*parts[:left_out], *parts[left_out + 1 :]])]

    def _cut(self, parts: Sequence[str]) -> tuple[str, str]:
        return _cut(parts, int(self._rng.integers(1, len(parts))))

    def _one_of(self, texts: Sequence[str]) -> str:
        return texts[int(self._rng.integers(len(texts)))]


def _cut(parts: Sequence[str], place: int) -> tuple[str, str]:
    return "".join(parts[:place]), "".join(parts[place:])


def _shuffled(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [texts[row] for row in rng.permutation(len(texts))]
