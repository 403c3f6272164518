"""Vectors of any number of texts, in a file that is mapped: memory holds what is looked at."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from konayuki.model import StaticModel

FloatMatrix = NDArray[np.float32]
AT_A_TIME = 8192


@contextmanager
def vectors_on_disk(
    texts: Iterable[str], model: StaticModel, dim: int | None = None
) -> Iterator[FloatMatrix]:
    """Give the unit vectors of the texts, float32 (n_texts, dim), for as long as they are needed.

    Raises:
        InputError: an item is no string.
        DimensionError: the model has fewer dimensions.
    """
    width = model.encode([], dim=dim).shape[1]
    stream = iter(texts)
    n_texts = 0
    with tempfile.TemporaryFile(prefix="konayuki-") as file:
        while block := list(islice(stream, AT_A_TIME)):
            file.write(np.ascontiguousarray(model.encode(block, dim=dim)).data)
            n_texts += len(block)
        file.flush()
        if not n_texts:
            yield np.empty((0, width), np.float32)
            return
        mapped = np.memmap(file, np.float32, "r", shape=(n_texts, width))
        try:
            yield np.asarray(mapped)
        finally:
            del mapped
