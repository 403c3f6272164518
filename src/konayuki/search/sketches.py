"""Two bits for every entry of the stored vectors: a quarter of what a search has to read.

They are made in memory when a search first wants them. A file of them would have to be checked at
opening, which takes as long as making them, and could be at odds with the vectors.
"""

import threading
from collections.abc import Hashable

import numpy as np

from konayuki.arrays import ByteMatrix, Int8Matrix
from konayuki.model.native import Scanner, kernel

PAYS_FROM = 20_000  # vectors: below, looking at all of them costs a third of a millisecond
_ROOM = 8  # a full buffer grows by 1/8


class SketchBook:
    """The sketches of vectors that only grow, made once and lent to every view of them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._files: Hashable = None
        self._buffer = np.empty((0, 0), np.uint8)
        self._count = 0

    def of(self, codes: Int8Matrix, files: Hashable) -> ByteMatrix | None:
        """Return the sketch of every vector: uint8 (n, bytes); None if sketches do not pay.

        Args:
            codes: int8 (n, dim).
            files: Identifies the files of the vectors. As long as it is equal, longer `codes` begin
                with what shorter ones held.
        """
        compiled = kernel()
        if compiled is None or len(codes) < PAYS_FROM:
            return None
        with self._guard:
            if files != self._files:
                self._files, self._count = files, 0
            if self._count < len(codes):
                self._take(Scanner(compiled).sketches(codes[self._count :]), len(codes))
            return self._buffer[: len(codes)]

    def _take(self, sketches: ByteMatrix, count: int) -> None:
        """Put sketches behind the others; views keep the buffer that they were lent."""
        known = self._buffer[: self._count]
        if count > len(self._buffer) or sketches.shape[1:] != known.shape[1:] or not len(known):
            self._buffer = np.empty((count + count // _ROOM, sketches.shape[1]), np.uint8)
            if len(known):
                self._buffer[: len(known)] = known
        self._buffer[count - len(sketches) : count] = sketches
        self._count = count
