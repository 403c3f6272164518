"""Unigram segmentation in plain Python: the definition that the kernel is tested against.

It runs if the kernel was not built, or does not know a part of the tokenizer.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np

from konayuki.model.tokens import TokenBatch
from konayuki.model.unigram_definition import UnigramDefinition

UNKNOWN_PENALTY = 10.0
# Words repeat: half the words of a text with spaces come from here. About 10 MB when full.
MOST_REMEMBERED = 50_000
LONGEST_REMEMBERED = 30  # characters


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
        self._remembered: dict[str, list[int]] = {}
        self._added_ids = [token.token_id for token in definition.added.tokens]

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return self._definition.vocab_size

    def encode(self, texts: Sequence[str]) -> TokenBatch:
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
        remembered = self._remembered
        for index, part in enumerate(parts):
            if isinstance(part, int):
                ids.append(self._added_ids[part])
                continue
            for word in definition.pretokenizer.words(part, index == 0):
                word_ids = remembered.get(word)
                if word_ids is None:
                    word_ids = self.segment(word)
                    if len(word) <= LONGEST_REMEMBERED:
                        if len(remembered) >= MOST_REMEMBERED:
                            remembered.clear()
                        remembered[word] = word_ids
                ids += word_ids

    def segment(self, word: str) -> list[int]:
        """Return the ids of the best segmentation of one word."""
        arrival = self._arrivals(word)
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

    def _arrivals(self, word: str) -> list[tuple[int, int]]:
        """Return the id and the start of the last piece on the best way to each place."""
        prefixes, unk_score = self._prefixes, self._unk_score
        longest, length = self._longest, len(word)
        best = [float("-inf")] * (length + 1)
        best[0] = 0.0
        arrival = [(0, 0)] * (length + 1)
        for start, character in enumerate(word):
            score = best[start]
            entry = prefixes.get(character)
            if entry is None:  # in no piece at all
                piece_score, token_id = unk_score, self._definition.unk_id
            else:
                piece_score, token_id = entry
            if piece_score + score > best[start + 1]:
                best[start + 1] = piece_score + score
                arrival[start + 1] = token_id, start
            if entry is None:
                continue
            for end in range(start + 2, min(start + longest, length) + 1):
                entry = prefixes.get(word[start:end])
                if entry is None:
                    break
                if entry[0] + score > best[end]:  # not a piece: minus infinity, never better
                    best[end] = entry[0] + score
                    arrival[end] = entry[1], start
        return arrival

    @cached_property
    def _scores(self) -> list[float]:
        return [as_tokenizers_reads(score) for score in self._definition.scores]

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
        no_piece = float("-inf"), definition.unk_id
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
    if -1000 < score < 1000 and (score * 4096).is_integer():
        return float(score)  # few digits: exact
    digits, _, exponent = repr(score).partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) - len(fraction)
    significand = float(int(whole + fraction))
    return significand / 10.0**-power if power < 0 else significand * 10.0**power
