"""Sentences of every degree of similarity, made by exchanging phrases at particles.

Paraphrases are similar and two random sentences are not; from neither does a student learn how
similar a man on a horse is to a man on a bicycle. Here the phrases of sentences change places, and
the teachers embed the results: every group holds a sentence, its paraphrase, some sentences that
begin like it, some that end like it, and the sentence without one of its phrases.
"""

import re
from collections.abc import Sequence

import numpy as np

GROUP = 8  # sentences: the two of the pair, and
SAME_BEGINNING, SAME_END = 3, 2  # and one that lacks a phrase
# After a particle or comma, before a kanji or katakana: usually a boundary between phrases.
PHRASES = re.compile("(?<=[がはをにでと、])(?=[一-龯ァ-ヶ々])")


def crossed_groups(
    pairs: Sequence[tuple[str, str]], n_groups: int, rng: np.random.Generator
) -> list[list[str]]:
    """Return groups of `GROUP` sentences; none if no sentence has two phrases.

    Args:
        pairs: Sentences and their paraphrases.
        n_groups: The number of groups; sentences take turns in random order.
        rng: Decides what is exchanged.
    """
    # Reversed: if a sentence has several paraphrases, the first counts.
    paraphrase = {one: other for pair in reversed(pairs) for one, other in (pair, pair[::-1])}
    phrases = {text: PHRASES.split(text) for text in paraphrase}
    divided = {text: parts for text, parts in phrases.items() if len(parts) > 1}
    crossing = _Crossing(list(divided.values()), rng)
    texts = list(divided)
    n_rounds = -(-n_groups // max(1, len(texts)))
    turns = [texts[row] for _ in range(n_rounds) for row in rng.permutation(len(texts))]
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
            for boundary in range(1, len(parts)):
                beginning, end = _cut(parts, boundary)
                self._beginnings.setdefault(beginning[-1], []).append(beginning)
                self._ends.setdefault(beginning[-1], []).append(end)

    def relatives(self, parts: Sequence[str]) -> list[str]:
        """Return `GROUP` - 2 sentences that share phrases with this one."""
        sentences = []
        for _ in range(SAME_BEGINNING):
            beginning, _ = self._cut(parts)
            sentences.append(beginning + self._one_of(self._ends[beginning[-1]]))
        for _ in range(SAME_END):
            beginning, end = self._cut(parts)
            sentences.append(self._one_of(self._beginnings[beginning[-1]]) + end)
        left_out = int(self._rng.integers(len(parts)))
        return [*sentences, "".join([*parts[:left_out], *parts[left_out + 1 :]])]

    def _cut(self, parts: Sequence[str]) -> tuple[str, str]:
        return _cut(parts, int(self._rng.integers(1, len(parts))))

    def _one_of(self, texts: Sequence[str]) -> str:
        return texts[int(self._rng.integers(len(texts)))]


def _cut(parts: Sequence[str], boundary: int) -> tuple[str, str]:
    return "".join(parts[:boundary]), "".join(parts[boundary:])
