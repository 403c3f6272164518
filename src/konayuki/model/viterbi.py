"""The best segmentation in double precision, for words where SentencePiece's floats fall short.

SentencePiece adds scores in single precision. In a long word the sum grows until neighbouring
candidates round to the same number; `tokenizers` adds in double precision, and so does this.
"""

from collections.abc import Sequence
from functools import cached_property

UNKNOWN_PENALTY = 10.0


class ExactSegmenter:
    """Segments one word; the rules of ties are those of both libraries.

    Args:
        vocabulary: pieces and scores, by id.
        unk_id: the id of what no piece covers.
    """

    def __init__(self, vocabulary: Sequence[tuple[str, float]], unk_id: int) -> None:
        self._pieces = vocabulary
        self._unk_id = unk_id

    @cached_property
    def _vocabulary(self) -> list[tuple[str, float]]:
        return [(piece, as_read_by_tokenizers(score)) for piece, score in self._pieces]

    @cached_property
    def _unk_score(self) -> float:
        return min(score for _, score in self._vocabulary) - UNKNOWN_PENALTY

    @cached_property
    def _prefixes(self) -> dict[str, tuple[int, float] | None]:
        """Return every prefix of a piece: its id and score where it is a piece itself."""
        prefixes: dict[str, tuple[int, float] | None] = {}
        for piece, _ in self._vocabulary:
            for end in range(len(piece) - 1, 0, -1):
                if piece[:end] in prefixes:
                    break  # and so are all the shorter ones
                prefixes[piece[:end]] = None
        prefixes.update(
            {piece: (token_id, score) for token_id, (piece, score) in enumerate(self._vocabulary)}
        )
        return prefixes

    def segment(self, word: str) -> list[int]:
        """Return the ids of the best segmentation; neighbouring unknowns are one."""
        arrival = self._forward(word)
        ids: list[int] = []
        end = len(word)
        while end:
            token_id, start = arrival[end]
            if not (token_id == self._unk_id and ids and ids[-1] == self._unk_id):
                ids.append(token_id)
            end = start
        return ids[::-1]

    def _forward(self, word: str) -> list[tuple[int, int]]:
        """Return the id and the start of the last piece of the best way to each place."""
        prefixes, unk_id, unk_score = self._prefixes, self._unk_id, self._unk_score
        nothing = float("-inf")
        best = [nothing] * (len(word) + 1)
        best[0] = 0.0
        arrival = [(unk_id, 0)] * (len(word) + 1)
        for start in range(len(word)):
            so_far = best[start]
            covered = False
            for end in range(start + 1, len(word) + 1):
                prefix = word[start:end]
                found = prefixes.get(prefix)
                if found is None:
                    if prefix in prefixes:
                        continue
                    break
                covered = covered or end == start + 1
                if found[1] + so_far > best[end]:
                    best[end] = found[1] + so_far
                    arrival[end] = (found[0], start)
            if not covered and unk_score + so_far > best[start + 1]:
                best[start + 1] = unk_score + so_far
                arrival[start + 1] = (unk_id, start)
        return arrival


def as_read_by_tokenizers(score: float) -> float:
    """Return a score as `tokenizers` reads it from JSON.

    Its parser rounds twice, first the digits as one integer and then their quotient by a power of
    ten, so the last bit can differ from the nearest number. It decides between segmentations that
    are the same pieces in another order.
    """
    digits, _, exponent = repr(score).partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) - len(fraction)
    significand = float(int(whole + fraction))
    return significand / 10.0**-power if power < 0 else significand * 10.0**power
