"""Texts that say the same: groups around a representative, found exactly, in bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix
from konayuki.errors import InputError
from konayuki.model import StaticModel
from konayuki.scale.disk_vectors import vectors_on_disk
from konayuki.scale.text_table import check_texts

DEFAULT_THRESHOLD = 0.9
_BLOCK = 1024  # rows that are placed at a time
_CHUNK = 16384  # representatives that they are compared with at a time
_PREFIX = 128  # dimensions that rule out all but 1 in 10,000 pairs of our model's 512 at 0.9
_MANY = 16  # above a share of 1/16, looking at all pairs costs less than fetching them
_SLACK = np.float32(1e-5)  # of a bound in float32


class Member(NamedTuple):
    """A row of a group, and its cosine with the representative."""

    row: int
    cosine: float


@dataclass(frozen=True)
class Duplicates:
    """Which row stands for which.

    Attributes:
        representative: int64 (n,), the row that stands for each row; its own where none does.
        cosine: float32 (n,), with the representative; 1 for itself and for equal texts.
    """

    representative: NDArray[np.int64]
    cosine: NDArray[np.float32]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Return which rows stand for themselves: bool (n,)."""
        own: NDArray[np.bool_] = self.representative == np.arange(len(self.representative))
        return own

    def groups(self, *, smallest: int = 2) -> Iterator[list[Member]]:
        """Yield groups by their representative's place: it first, then the nearest to it."""
        rows = np.arange(len(self.representative))
        first = rows != self.representative
        order = np.lexsort((rows, -self.cosine, first, self.representative))
        edges = np.flatnonzero(np.diff(self.representative[order])) + 1
        for members in np.split(order, edges):
            if len(members) >= max(smallest, 1):
                yield [Member(int(row), float(self.cosine[row])) for row in members]


def find_duplicates(
    texts: Iterable[str],
    threshold: float = DEFAULT_THRESHOLD,
    *,
    model: StaticModel | None = None,
    dim: int | None = None,
) -> Duplicates:
    """Return which texts say the same as an earlier one.

    A text belongs to the first representative whose cosine with it reaches the threshold, and is
    one itself where there is none: every member is that near to its representative, which chains
    of neighbours would not promise. The answer is exact, and depends on the order of the texts.

    Memory holds 520 bytes a representative and 60 a text; vectors lie in a temporary file. Time
    grows with the square of the number of representatives.

    Args:
        texts: any iterable.
        threshold: above 0 and at most 1.
        model: the bundled one unless given.
        dim: dimensions to compare; all unless given.

    Raises:
        InputError: a threshold out of range, or an item that is no string.
    """
    check_texts(texts)
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold!r}: expected more than 0 and at most 1")
    first_of: list[int] = []
    rows: list[int] = []
    model = StaticModel.load() if model is None else model
    with vectors_on_disk(_distinct(texts, first_of, rows), model, dim) as vectors:
        leaders, cosines = lead(vectors, threshold)
    place = np.asarray(first_of, np.int64)
    distinct = np.asarray(rows, np.int64)
    return Duplicates(distinct[leaders[place]], cosines[place])


def _distinct(texts: Iterable[str], first_of: list[int], rows: list[int]) -> Iterator[str]:
    """Yield texts that did not occur before; note which distinct text each is, and their rows."""
    places: dict[bytes | object, int] = {}
    for row, text in enumerate(texts):
        known = isinstance(text, str)
        data = text.encode("utf-8", "surrogatepass") if known else b""
        digest = blake2b(data, digest_size=16).digest() if known else object()
        place = places.setdefault(digest, len(rows))
        first_of.append(place)
        if place == len(rows):
            rows.append(row)
            yield text


def lead(vectors: FloatMatrix, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the leader of each row, int64 (n,), and its cosine with it, float32 (n,).

    Args:
        vectors: float32 (n, dim), rows of length one or zero.
        threshold: the least cosine.
    """
    n_rows = len(vectors)
    leaders = np.full(n_rows, -1, np.int64)
    cosines = np.ones(n_rows, np.float32)
    chunks: list[_Chunk] = []
    for start in range(0, n_rows, _BLOCK):
        block = np.ascontiguousarray(vectors[start : start + _BLOCK])
        bounds = _bounding(block)
        free = np.arange(len(block))
        for chunk in chunks:
            rows, scores = chunk.first_above(block[free], bounds[free], threshold, vectors)
            taken = rows >= 0
            leaders[start + free[taken]] = rows[taken]
            cosines[start + free[taken]] = scores[taken]
            free = free[~taken]
        new = _among(block, free, start, threshold, leaders, cosines)
        _append(chunks, start + new, bounds[new])
    return leaders, cosines


class _Chunk:
    """Some leaders: their rows, and what bounds their cosines."""

    def __init__(self, width: int) -> None:
        self.n_rows = 0
        self._rows = np.empty(_CHUNK, np.int64)
        self._bounds = np.empty((_CHUNK, width), np.float32)

    def add(self, rows: NDArray[np.int64], bounds: FloatMatrix) -> int:
        """Take leaders in until there is no room; return how many."""
        n_added = min(len(rows), _CHUNK - self.n_rows)
        stop = self.n_rows + n_added
        self._rows[self.n_rows : stop] = rows[:n_added]
        self._bounds[self.n_rows : stop] = bounds[:n_added]
        self.n_rows = stop
        return n_added

    def first_above(
        self, block: FloatMatrix, bounds: FloatMatrix, threshold: float, vectors: FloatMatrix
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the first leader that reaches the threshold for each row, -1 for none."""
        found = np.full(len(block), -1, np.int64)
        scores = np.zeros(len(block), np.float32)
        possible = bounds @ self._bounds[: self.n_rows].T >= threshold - _SLACK
        if np.count_nonzero(possible) * _MANY > possible.size:
            products = block @ vectors[self._rows[: self.n_rows]].T
            places, candidates = np.nonzero(products >= threshold)
            exact = products[places, candidates]
        else:
            places, candidates = np.nonzero(possible)
            exact = np.einsum("nd,nd->n", block[places], vectors[self._rows[candidates]])
            kept = exact >= threshold
            places, candidates, exact = places[kept], candidates[kept], exact[kept]
        place, first = np.unique(places, return_index=True)  # leaders ascend within a place
        found[place] = self._rows[candidates[first]]
        scores[place] = exact[first]
        return found, scores


def _append(chunks: list[_Chunk], rows: NDArray[np.int64], bounds: FloatMatrix) -> None:
    while len(rows):
        if not chunks or chunks[-1].n_rows == _CHUNK:
            chunks.append(_Chunk(bounds.shape[1]))
        n_added = chunks[-1].add(rows, bounds)
        rows, bounds = rows[n_added:], bounds[n_added:]


def _bounding(vectors: FloatMatrix) -> FloatMatrix:
    """Return rows whose product is at least the cosine: the first dimensions, and what is left.

    a.b = a'.b' + a".b" <= a'.b' + |a"||b"|, by Cauchy and Schwarz.
    """
    rest = np.linalg.norm(vectors[:, _PREFIX:], axis=1, keepdims=True)
    return np.ascontiguousarray(np.hstack([vectors[:, :_PREFIX], rest]), dtype=np.float32)


def _among(
    block: FloatMatrix,
    free: NDArray[np.intp],
    start: int,
    threshold: float,
    leaders: NDArray[np.int64],
    cosines: NDArray[np.float32],
) -> NDArray[np.intp]:
    """Let the rows of a block that nobody leads lead one another; return those that do."""
    products = block[free] @ block[free].T
    open_ = np.ones(len(free), dtype=np.bool_)
    new = []
    for place in range(len(free)):
        if open_[place]:
            new.append(place)
            led = np.flatnonzero(open_ & (products[place] >= threshold))
            led = led[led > place]
            leaders[start + free[led]] = leaders[start + free[place]] = start + free[place]
            cosines[start + free[led]] = products[place, led]
            open_[led] = False
    return free[new]
