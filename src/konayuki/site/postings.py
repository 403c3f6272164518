"""Which passages hold each term, in shards small enough to load one for a keystroke."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import IntVector
from konayuki.site.containers import varints
from konayuki.site.language import shard_of

SHARD_BYTES = 2_048  # of postings; a keystroke loads one or two shards
MOST_SHARDS = {"words": 4_096, "characters": 512}  # more files are small, but hosts count them
COMMON = 2_560  # passages from which a term has a file of its own: nobody else loads its postings
FREQUENT_LENGTHS = 15  # codes of lengths that take half a byte
_SHORT_NAME = 3  # units of a name that are counted beside the passages
_FIRST_WIDE = 0x3000  # from which two bytes reach over kana and kanji
_POSTING_BYTES, _TERM_BYTES = 1.7, 5.2  # usual ones, for the number of shards


def _numbering() -> dict[str, int]:
    """Return a dictionary that gives each new term the next number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


@dataclass
class Field:
    """The terms of one kind of all passages, taken in passage by passage.

    Attributes:
        numbers: The number of each term, in the order of their first appearance.
        terms: Per posting, the number of its term.
        counts: Per posting, how often the passage holds it.
        sizes: Per passage, how many postings it has.
        lengths: Per passage, how many terms it has, with repetitions.
    """

    numbers: dict[str, int] = field(default_factory=_numbering)
    terms: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[int]" = field(default_factory=lambda: array("I"))
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, terms: Sequence[str]) -> None:
        """Take in the terms of the next passage."""
        counted = Counter(terms)
        self.terms.extend(map(self.numbers.__getitem__, counted))
        self.counts.extend(counted.values())
        self.sizes.append(len(counted))
        self.lengths.append(len(terms))

    def shards(self, most_shards: int = MOST_SHARDS["words"]) -> "Shards":
        """Return the files: terms are in `shard_of(term, n_hashed)`, common ones behind these."""
        n_holding = np.bincount(_as_numpy(self.terms), minlength=len(self.numbers))
        common = sorted(
            term for term, number in self.numbers.items() if n_holding[number] >= COMMON
        )
        n_others = n_holding[n_holding < COMMON].sum()
        n_bytes = _POSTING_BYTES * n_others + _TERM_BYTES * len(self.numbers)
        n_hashed = min(most_shards, max(1, -(-int(n_bytes) // SHARD_BYTES)))
        files = {term: n_hashed + place for place, term in enumerate(common)}
        in_order = sorted(
            (files[term] if term in files else shard_of(term, n_hashed), term)
            for term in self.numbers
        )
        ranks = np.empty(len(in_order), np.int64)
        ranks[[self.numbers[term] for _, term in in_order]] = np.arange(len(in_order))
        postings = self._postings(ranks)
        frequent = frequent_codes(self.lengths)
        n_terms = np.bincount([shard for shard, _ in in_order], minlength=n_hashed)
        ends = np.cumsum(n_terms).tolist()
        parts = [
            postings.shard([term for _, term in in_order[start:end]], start, end, frequent)
            for start, end in pairwise([0, *ends])
        ]
        return Shards(parts, n_hashed, common, frequent.tolist())

    def _postings(self, ranks: IntVector) -> "_Postings":
        """Return the postings of all terms in the order of their ranks."""
        terms, counts = ranks[_as_numpy(self.terms)], _as_numpy(self.counts)
        rows = np.repeat(np.arange(len(self.sizes)), _as_numpy(self.sizes))
        order = np.argsort(terms, kind="stable")
        terms, counts, rows = terms[order], counts[order], rows[order]
        first = np.concatenate([[True], terms[1:] != terms[:-1]])[: len(terms)]
        gaps = np.where(first, rows, rows - np.concatenate([[0], rows[:-1]])[: len(rows)])
        # A count of one, the usual one, costs a bit.
        values = np.stack([2 * gaps + (counts > 1), counts], axis=1).reshape(-1)
        kept = np.stack([np.ones(len(counts), np.bool_), counts > 1], axis=1).reshape(-1)
        content, places = varints(values[kept])
        ends = np.concatenate([[0], places[np.cumsum(kept)[1::2]]])
        n_holding = np.bincount(terms, minlength=len(ranks))
        return _Postings(
            content=content,
            places=ends,
            starts=np.concatenate([[0], np.cumsum(n_holding)]),
            codes=length_codes(self.lengths)[rows],
        )


class Shards(NamedTuple):
    """The files of a field.

    Attributes:
        parts: Their contents.
        n_hashed: How many of them hold terms by their hash; each of the others holds a common term.
        common: These terms.
        frequent: The codes of lengths that half a byte stands for.
    """

    parts: list[bytes]
    n_hashed: int
    common: list[str]
    frequent: list[int]


class _Postings(NamedTuple):
    """All postings, term by term: varints, where those of each posting start, codes of lengths."""

    content: NDArray[np.uint8]
    places: IntVector
    starts: IntVector  # (n_terms + 1,): the first posting of each term
    codes: NDArray[np.uint8]

    def shard(
        self, terms: Sequence[str], start: int, end: int, frequent: NDArray[np.uint8]
    ) -> bytes:
        """Return the file of the terms from one rank to another: head, names, postings, lengths."""
        names = [_units(term) for term in terms]
        sizes = self.starts[start + 1 : end + 1] - self.starts[start:end]
        head = [len(terms)]
        for name, n_holding in zip(names, sizes.tolist(), strict=True):
            if len(name) <= _SHORT_NAME:
                head.append(4 * n_holding + len(name))
            else:
                head += [4 * n_holding, len(name)]
        first, last = self.starts[start], self.starts[end]
        halves, others = half_bytes(self.codes[first:last], frequent)
        return b"".join(
            [
                varints(np.array(head, np.int64))[0].tobytes(),
                *(_unit_bytes(unit) for name in names for unit in name),
                self.content[self.places[first] : self.places[last]].tobytes(),
                halves.tobytes(),
                others.tobytes(),
            ]
        )


def _units(term: str) -> list[int]:
    return list(memoryview(term.encode("utf-16-le")).cast("H"))


@cache
def _unit_bytes(unit: int) -> bytes:
    """Return a UTF-16 unit in one byte if it is ASCII, two if it is kana or kanji, else three."""
    if unit < 0x80:
        return bytes([unit])
    shifted = unit - _FIRST_WIDE
    if 0 <= shifted < 0x7F00:
        return bytes([0x80 | shifted >> 8, shifted & 255])
    return bytes([0xFF, unit >> 8, unit & 255])


def half_bytes(
    codes: NDArray[np.uint8], frequent: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the place of each code among the frequent ones, two a byte, and the other codes.

    The first of two is the high half; 15 says that the code is the next one of the others.
    """
    table = np.full(256, FREQUENT_LENGTHS, np.uint8)
    table[frequent] = np.arange(len(frequent))
    halves = table[codes]
    padded = np.concatenate([halves, np.zeros(len(halves) % 2, np.uint8)])
    pairs: NDArray[np.uint8] = np.bitwise_or(padded[0::2] << 4, padded[1::2])
    return pairs, codes[halves == FREQUENT_LENGTHS]


def frequent_codes(lengths: "array[int]") -> NDArray[np.uint8]:
    """Return the codes that most lengths have, the most frequent first."""
    counts = np.bincount(length_codes(lengths), minlength=256)
    order = np.argsort(-counts, kind="stable")[:FREQUENT_LENGTHS]
    return order[counts[order] > 0].astype(np.uint8)


def _as_numpy(numbers: "array[int]") -> NDArray[Any]:
    return np.frombuffer(numbers, np.uint32) if len(numbers) else np.empty(0, np.uint32)


def length_steps() -> IntVector:
    """Return what each of 256 codes says of a length: tantivy keeps a length in one byte.

    Up to 39 they are exact, then three bits behind the first count (Lucene's `SmallFloat`).
    """
    steps = list(range(24))
    for code in range(256 - 24):
        shift = (code >> 3) - 1
        steps.append(24 + (code if shift < 0 else ((code & 7) | 8) << shift))
    return np.array(steps, np.int64)


def length_codes(lengths: "array[int]") -> NDArray[np.uint8]:
    """Return the code of each length: the largest step that does not exceed it."""
    codes = np.searchsorted(length_steps(), _as_numpy(lengths), side="right") - 1
    return codes.astype(np.uint8)
