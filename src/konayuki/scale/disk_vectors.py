"""Vectors of any number of texts in a temporary, mapped file: memory holds what is looked at."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.errors import WriteError
from konayuki.model import StaticModel

AT_A_TIME = 8192


@contextmanager
def vectors_on_disk(
    texts: Iterable[str], model: StaticModel, dim: int | None = None
) -> Iterator[FloatMatrix]:
    """Give the unit vectors of the texts, float32 (n_texts, dim), while the block runs.

    Raises:
        InputError: An item is not a string.
        DimensionError: The model has fewer dimensions.
        WriteError: The temporary file cannot be written.
    """
    width = model.encode([], dim=dim).shape[1]
    stream = iter(texts)
    n_texts = 0
    with tempfile.TemporaryFile(prefix="konayuki-") as file:
        while block := list(islice(stream, AT_A_TIME)):
            vectors = np.ascontiguousarray(model.encode(block, dim=dim))
            try:
                file.write(vectors.data)
                file.flush()
            except OSError as error:
                raise WriteError(
                    f"cannot write vectors to {tempfile.gettempdir()}: {error.strerror}\n"
                    "hint: TMPDIR names another folder"
                ) from error
            n_texts += len(block)
        if not n_texts:
            yield np.empty((0, width), np.float32)
            return
        mapped = np.memmap(file, np.float32, "r", shape=(n_texts, width))
        try:
            yield np.asarray(mapped)
        finally:
            del mapped
