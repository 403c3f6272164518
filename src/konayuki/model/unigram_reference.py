"""Unigram segmentation in plain Python: the definition that the kernel is tested against.

It runs if the kernel was not built, or does not know a part of the tokenizer.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from math import inf
from operator import add

import numpy as np

from konayuki.model.tokens import TokenBatch
from konayuki.model.unigram_definition import UnigramDefinition

UNKNOWN_PENALTY = 10.0
# The same stretches of text turn up again and again. About 10 MB when full.
MOST_REMEMBERED = 50_000
LONGEST_REMEMBERED = 30  # characters
# Sums nearer to each other than this may be ordered by their rounding, which is less than a tenth
# of it for words of 10,000 characters.
CLOSE = 1e-6
LONGEST_WORD = 10_000
UNSEEN: list[int] = []


class UnigramReference:
    """Segments each word so that the sum of the scores is largest, in float64.

    Sums are formed from left to right; of two equal sums the one with the longer last piece wins. A
    character that is not a piece costs the lowest score less 10; neighbours of that kind are one
    unknown piece, or their bytes.

    Args:
        definition: The tokenizer.
    """

    backend = "python"

    def __init__(self, definition: UnigramDefinition) -> None:
        self._definition = definition
        self._remembered: dict[str, list[int] | None] = {}
        self._added_ids = [token.token_id for token in definition.added.tokens]

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return self._definition.vocab_size

    def tokenize(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts, the same that `tokenizers` gives.

        Raises:
            UnicodeEncodeError: A text holds a lone surrogate.
            TypeError: An item is not a string.
        """
        ids: list[int] = []
        ends = [0]
        for text in texts:
            self._append(text, ids)
            ends.append(len(ids))
        return TokenBatch(np.array(ids, np.int32), np.array(ends, np.int64))

    def _append(self, text: str, ids: list[int]) -> None:
        if not isinstance(text, str):
            raise TypeError(f"expected str, got {type(text).__name__}")
        definition = self._definition
        text.encode()  # a lone surrogate is an error everywhere, not an unknown character
        parts = definition.added.split(text) or [definition.normalize(text)]
        for index, part in enumerate(parts):
            if isinstance(part, int):
                ids.append(self._added_ids[part])
                continue
            for word in definition.pretokenizer.words(part, index == 0):
                ids += self.segment(word)

    def segment(self, word: str) -> list[int]:
        """Return the ids of the best segmentation of one word.

        A word is split wherever no piece joins two neighbours: the best segmentation is that of
        the stretches, which repeat. Only if rounding could decide, it is formed as a whole.
        """
        if len(word) > LONGEST_WORD or self._definition.byte_ids:
            return self._path(word, self._arrivals(word)[0])
        unk_id, joined, remembered = self._definition.unk_id, self._joined, self._remembered
        ids: list[int] = []
        start = 0
        for end, pair in enumerate([*map(add, word, word[1:]), ""], 1):
            if pair in joined:
                continue
            stretch = word[start:end]
            start = end
            stretch_ids = remembered.get(stretch, UNSEEN)
            if stretch_ids is UNSEEN:
                stretch_ids = self._remember(stretch)
            if stretch_ids is None:
                return self._path(word, self._arrivals(word)[0])
            if ids and ids[-1] == unk_id == stretch_ids[0]:  # one unknown run
                ids += stretch_ids[1:]
            else:
                ids += stretch_ids
        return ids

    def _remember(self, stretch: str) -> list[int] | None:
        """Return the ids of a stretch; None if what precedes it could decide between two ways."""
        arrival, close = self._arrivals(stretch)
        ids = None if close and not self._exact else self._path(stretch, arrival)
        if len(stretch) <= LONGEST_REMEMBERED:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[stretch] = ids
        return ids

    def _path(self, word: str, arrival: list[tuple[int, int]]) -> list[int]:
        """Return the ids on the best way to the end of a word."""
        unk_id = self._definition.unk_id
        ids: list[int] = []
        unknown_end = end = len(word)
        while end:
            token_id, start = arrival[end]
            if token_id != unk_id:
                ids.append(token_id)
                unknown_end = start
            elif not start or arrival[start][0] != unk_id:  # the first of an unknown run
                ids += self._unknown(word[start:unknown_end])[::-1]
                unknown_end = start
            end = start
        return ids[::-1]

    def _unknown(self, run: str) -> list[int]:
        """Return the ids of a run of characters that no piece covers."""
        definition = self._definition
        if definition.byte_ids and run != definition.pieces[definition.unk_id]:
            ids = [definition.byte_ids[byte] for byte in run.encode()]
            if min(ids) >= 0:
                return ids
        return [definition.unk_id]

    def _arrivals(self, word: str) -> tuple[list[tuple[int, int]], bool]:
        """Return the id and start of the last piece on the best way to each place.

        And whether two ways to a place were so close that rounding may decide between them.
        """
        prefixes, unknown = self._prefixes, (self._unk_score, self._definition.unk_id)
        longest, length = self._longest, len(word)
        best = [-inf] * (length + 1)
        best[0] = 0.0
        arrival = [(0, 0)] * (length + 1)
        close = False
        for start, character in enumerate(word):
            score = best[start]
            entry = prefixes.get(character, unknown)
            end = start + 1
            while True:
                ahead = entry[0] + score - best[end]  # minus infinity if it is not a piece
                if ahead > 0:
                    best[end] = entry[0] + score
                    arrival[end] = entry[1], start
                if -CLOSE < ahead < CLOSE:
                    close = True
                end += 1
                if end > length or end > start + longest:
                    break
                longer = prefixes.get(word[start:end])
                if longer is None:
                    break
                entry = longer
        return arrival, close

    @cached_property
    def _scores(self) -> list[float]:
        return [as_tokenizers_reads(score) for score in self._definition.scores]

    @cached_property
    def _exact(self) -> bool:
        """Return whether scores are small multiples of 2**-12, whose sums are never rounded."""
        return all(-1000 < score < 1000 and (score * 4096).is_integer() for score in self._scores)

    @cached_property
    def _joined(self) -> set[str]:
        """Return every two characters that are neighbours in a piece."""
        pieces = self._definition.pieces
        return {pair for piece in pieces for pair in map(add, piece, piece[1:])}

    @cached_property
    def _unk_score(self) -> float:
        return min(self._scores) - UNKNOWN_PENALTY

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._definition.pieces))

    @cached_property
    def _prefixes(self) -> dict[str, tuple[float, int]]:
        """Return every prefix of a piece with its score and id.

        One that is not a piece itself has the score minus infinity; a single character has that of
        an unknown one.
        """
        definition = self._definition
        prefixes: dict[str, tuple[float, int]] = {}
        no_piece = -inf, definition.unk_id
        unknown = self._unk_score, definition.unk_id
        for piece in definition.pieces:
            for prefix in list(accumulate(piece))[-2::-1]:
                if prefix in prefixes:
                    break  # and so are all the shorter ones
                prefixes[prefix] = no_piece if len(prefix) > 1 else unknown
        for token_id, (piece, score) in enumerate(
            zip(definition.pieces, self._scores, strict=True)
        ):
            prefixes[piece] = score, token_id
        return prefixes


def as_tokenizers_reads(score: float) -> float:
    """Return a score as `tokenizers` reads it from JSON.

    Its parser rounds twice, first the digits as one integer and then their quotient by a power of
    ten, so the last bit can differ from the nearest number. It decides between segmentations that
    are the same pieces in another order.
    """
    score = float(score)
    if -1000 < score < 1000 and (score * 4096).is_integer():
        return score  # few digits: exact
    digits, _, exponent = repr(score).partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) - len(fraction)
    significand = float(int(whole + fraction))
    return significand / 10.0**-power if power < 0 else significand * 10.0**power
