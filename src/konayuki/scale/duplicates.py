"""Near-duplicate texts: groups around a representative, found exactly and in bounded memory."""

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
_BLOCK = 1024  # rows compared at a time
_CHUNK = 16384  # representatives that they are compared with at a time
_PREFIX = 128  # dimensions that rule out all but 1 in 10,000 pairs of our model's 512 at 0.9
_MANY = 16  # above a share of 1/16, computing all pairs costs less than gathering some
_SLACK = np.float32(1e-5)  # rounding error of a bound in float32


class Member(NamedTuple):
    """A row of a group, and its cosine with the representative."""

    row: int
    cosine: float


@dataclass(frozen=True)
class Duplicates:
    """The representative of each row.

    Attributes:
        representative: int64 (n,), the row that represents each row; itself if no other does.
        cosine: float32 (n,), cosine with the representative; 1 for itself and for equal texts.

    Examples:
        >>> from konayuki.scale import find_duplicates
        >>> duplicates = find_duplicates(["雪が降る。", "猫が鳴く。", "雪が降る。"])
        >>> duplicates.representative.tolist(), duplicates.kept.tolist()
        ([0, 1, 0], [True, True, False])
    """

    representative: NDArray[np.int64]
    cosine: NDArray[np.float32]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Return which rows represent themselves: bool (n,)."""
        is_kept: NDArray[np.bool_] = self.representative == np.arange(len(self.representative))
        return is_kept

    def groups(self, *, smallest: int = 2) -> Iterator[list[Member]]:
        """Yield groups in the order of their representatives: these first, then by cosine.

        Examples:
            >>> from konayuki.scale import find_duplicates
            >>> duplicates = find_duplicates(["雪が降る。", "猫が鳴く。", "雪が降る。"])
            >>> [[member.row for member in group] for group in duplicates.groups()]
            [[0, 2]]
        """
        rows = np.arange(len(self.representative))
        is_other = rows != self.representative
        order = np.lexsort((rows, -self.cosine, is_other, self.representative))
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

    A text belongs to the first representative whose cosine with it reaches the threshold; if there
    is none, it becomes a representative. So every member is that close to its representative, which
    chains of neighbours could not promise. The result is exact, and depends on the order of texts.

    Memory holds 520 bytes per representative and 60 per text; vectors are in a temporary file. Time
    grows with the square of the number of representatives.

    Args:
        texts: Any iterable of strings.
        threshold: Lowest cosine, above 0 and at most 1.
        model: The model to embed with; default: the bundled model.
        dim: Number of dimensions to compare; default: all.

    Raises:
        InputError: The threshold is out of range, or an item is not a string.

    Examples:
        >>> texts = ["富士山は高い山です。", "図書館で本を借りる。", "富士山は、高い山です"]
        >>> find_duplicates(texts, threshold=0.9).representative.tolist()
        [0, 1, 0]
    """
    check_texts(texts)
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold!r}: expected more than 0 and at most 1")
    numbers: list[int] = []
    rows: list[int] = []
    model = StaticModel.load() if model is None else model
    with vectors_on_disk(_distinct(texts, numbers, rows), model, dim) as vectors:
        leaders, cosines = find_leaders(vectors, threshold)
    number_of_text = np.asarray(numbers, np.int64)
    first_rows = np.asarray(rows, np.int64)
    return Duplicates(first_rows[leaders[number_of_text]], cosines[number_of_text])


def _distinct(texts: Iterable[str], numbers: list[int], rows: list[int]) -> Iterator[str]:
    """Yield texts that did not occur before.

    Args:
        texts: The texts.
        numbers: Receives the number of the distinct text that each text is.
        rows: Receives the first row of each distinct text.
    """
    number_by_digest: dict[bytes | object, int] = {}
    for row, text in enumerate(texts):
        digest: bytes | object = object()  # equals nothing: the model refuses what is not a string
        if isinstance(text, str):
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        number = number_by_digest.setdefault(digest, len(rows))
        numbers.append(number)
        if number == len(rows):
            rows.append(row)
            yield text


def find_leaders(
    vectors: FloatMatrix, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the leader of each row, int64 (n,), and its cosine with it, float32 (n,).

    Args:
        vectors: float32 (n, dim), rows of length one or zero.
        threshold: Lowest cosine of a row with its leader.
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
            is_led = rows >= 0
            leaders[start + free[is_led]] = rows[is_led]
            cosines[start + free[is_led]] = scores[is_led]
            free = free[~is_led]
        new = _among(block, free, start, threshold, leaders, cosines)
        _append(chunks, start + new, bounds[new])
    return leaders, cosines


class _Chunk:
    """Some leaders: their rows, and what bounds their cosines (see `_bounding`)."""

    def __init__(self, width: int) -> None:
        self.n_rows = 0
        self._rows = np.empty(_CHUNK, np.int64)
        self._bounds = np.empty((_CHUNK, width), np.float32)

    def add(self, rows: NDArray[np.int64], bounds: FloatMatrix) -> int:
        """Add leaders until the chunk is full; return how many were added."""
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
        leaders = np.full(len(block), -1, np.int64)
        scores = np.zeros(len(block), np.float32)
        possible = bounds @ self._bounds[: self.n_rows].T >= threshold - _SLACK
        if np.count_nonzero(possible) * _MANY > possible.size:
            products = block @ vectors[self._rows[: self.n_rows]].T
            rows, candidates = np.nonzero(products >= threshold)
            exact = products[rows, candidates]
        else:
            rows, candidates = np.nonzero(possible)
            exact = np.einsum("nd,nd->n", block[rows], vectors[self._rows[candidates]])
            is_above = exact >= threshold
            rows, candidates, exact = rows[is_above], candidates[is_above], exact[is_above]
        led, first = np.unique(rows, return_index=True)  # leaders ascend within a row
        leaders[led] = self._rows[candidates[first]]
        scores[led] = exact[first]
        return leaders, scores


def _append(chunks: list[_Chunk], rows: NDArray[np.int64], bounds: FloatMatrix) -> None:
    while len(rows):
        if not chunks or chunks[-1].n_rows == _CHUNK:
            chunks.append(_Chunk(bounds.shape[1]))
        n_added = chunks[-1].add(rows, bounds)
        rows, bounds = rows[n_added:], bounds[n_added:]


def _bounding(vectors: FloatMatrix) -> FloatMatrix:
    """Return rows whose products are at least the cosines: a prefix and the norm of the rest.

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
    """Find leaders among the rows of a block that have none yet, and return these leaders."""
    products = block[free] @ block[free].T
    is_free = np.ones(len(free), dtype=np.bool_)
    new = []
    for leader in range(len(free)):
        if is_free[leader]:
            new.append(leader)
            led = np.flatnonzero(is_free & (products[leader] >= threshold))
            led = led[led > leader]
            leaders[start + free[led]] = leaders[start + free[leader]] = start + free[leader]
            cosines[start + free[led]] = products[leader, led]
            is_free[led] = False
    return free[new]
