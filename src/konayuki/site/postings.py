"""Which passages hold each term, in shards small enough to load one for a keystroke."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import IntVector
from konayuki.site.containers import varints, zipped
from konayuki.site.language import shard_of

SHARD_BYTES = 4_096  # of postings; a keystroke loads one or two shards
_MOST_SHARDS = 4096


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

    numbers: dict[str, int] = field(default_factory=dict)
    terms: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[int]" = field(default_factory=lambda: array("I"))
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, terms: Sequence[str]) -> None:
        """Take in the terms of the next passage."""
        counted = Counter(terms)
        numbers = self.numbers
        self.terms.extend(numbers.setdefault(term, len(numbers)) for term in counted)
        self.counts.extend(counted.values())
        self.sizes.append(len(counted))
        self.lengths.append(len(terms))

    def shards(self) -> list[bytes]:
        """Return the files; a term is in file `shard_of(term, number of files)`."""
        postings, starts = self._postings()
        n_shards = min(_MOST_SHARDS, max(1, -(-len(postings) // SHARD_BYTES)))
        parts: list[list[tuple[str, bytes, int]]] = [[] for _ in range(n_shards)]
        n_holding = np.bincount(_as_numpy(self.terms), minlength=len(self.numbers)).tolist()
        for (term, number), (start, end) in zip(
            self.numbers.items(), pairwise(starts.tolist()), strict=True
        ):
            entry = term, postings[start:end], n_holding[number]
            parts[shard_of(term, n_shards)].append(entry)
        return [zipped(_shard(sorted(part))) for part in parts]

    def _postings(self) -> tuple[bytes, IntVector]:
        """Return the postings of all terms by number, and where those of each start."""
        terms, counts = _as_numpy(self.terms), _as_numpy(self.counts)
        rows = np.repeat(np.arange(len(self.sizes)), _as_numpy(self.sizes))
        order = np.argsort(terms, kind="stable")
        terms, counts, rows = terms[order], counts[order], rows[order]
        first = np.concatenate([[True], terms[1:] != terms[:-1]])[: len(terms)]
        gaps = np.where(first, rows, rows - np.concatenate([[0], rows[:-1]])[: len(rows)])
        # A count of one, the usual one, costs a bit.
        values = np.stack([2 * gaps + (counts > 1), counts], axis=1).reshape(-1)
        kept = np.stack([np.ones(len(counts), np.bool_), counts > 1], axis=1).reshape(-1)
        content, places = varints(values[kept])
        ends = places[np.cumsum(kept)[1::2]]
        last = np.concatenate([first[1:], [True]])[: len(first)]
        return content.tobytes(), np.concatenate([[0], ends[last]])


def _as_numpy(numbers: "array[int]") -> NDArray[Any]:
    return np.frombuffer(numbers, np.uint32) if len(numbers) else np.empty(0, np.uint32)


def _shard(entries: Sequence[tuple[str, bytes, int]]) -> bytes:
    """Return the number of terms, all terms with their sizes, then their postings."""
    names = [term.encode() for term, _, _ in entries]
    sizes = [
        number
        for name, (_, content, n_holding) in zip(names, entries, strict=True)
        for number in (len(name), n_holding, len(content))
    ]
    head, _ = varints(np.array([len(entries), *sizes], np.int64))
    return b"".join([head.tobytes(), *names, *(content for _, content, _ in entries)])


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
