"""Arrays and numbers as bytes that a browser unpacks without a library.

A container is the safetensors format as a zlib stream, which browsers read with
`DecompressionStream("deflate")`: static hosts do not compress unknown kinds of files.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

_LEVEL = 9
_BLOCK = 1 << 18  # numbers at a time: their bytes take 80 times the memory
_MOST_VARINT_BYTES = 5  # of 7 bits each: values below 2**32


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as one container; the same arrays give the same bytes."""
    return zipped(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def zipped(content: bytes) -> bytes:
    """Return a zlib stream."""
    return zlib.compress(content, _LEVEL)


def json_bytes(value: object) -> bytes:
    """Return JSON without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def as_array(content: bytes) -> NDArray[np.uint8]:
    """Return bytes as an array, for a place in a container."""
    return np.frombuffer(content, np.uint8)


def varints(values: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return numbers from 0 to 2**32 - 1 as LEB128, seven bits a byte, lowest first.

    Returns:
        The bytes, and int64 (n + 1,): where those of each number start, and the end.
    """
    parts = [_varints(values[at : at + _BLOCK]) for at in range(0, len(values), _BLOCK)]
    content = np.concatenate([np.empty(0, np.uint8), *(part for part, _ in parts)])
    sizes = np.concatenate([np.zeros(1, np.int64), *(size for _, size in parts)])
    return content, np.cumsum(sizes)


def _varints(values: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes of some numbers, and how many of them each has."""
    numbers = values.astype(np.uint64)
    steps = np.arange(_MOST_VARINT_BYTES, dtype=np.uint64) * np.uint64(7)
    sevens = (numbers[:, np.newaxis] >> steps) & np.uint64(127)
    sizes = np.ones(len(numbers), np.int64)
    for n_bytes in range(1, _MOST_VARINT_BYTES):
        sizes += numbers >= np.uint64(1 << 7 * n_bytes)
    columns = np.arange(_MOST_VARINT_BYTES)
    more = columns < sizes[:, np.newaxis] - 1
    content: NDArray[np.uint8] = np.where(more, sevens | np.uint64(128), sevens).astype(np.uint8)
    return content[columns < sizes[:, np.newaxis]], sizes
