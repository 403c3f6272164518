"""Numbers and arrays as bytes, and back by rules written down independently."""

import zlib
from itertools import pairwise

import numpy as np
from safetensors.numpy import load

from konayuki.site.containers import packed, varints


def decoded(content: bytes) -> list[int]:
    numbers, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value = shift = 0
    return numbers


def test_varints_are_leb128():
    numbers = [0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**21, 2**28, 2**32 - 1]

    content, starts = varints(np.array(numbers))

    assert decoded(content.tobytes()) == numbers
    assert [len(content[a:b]) for a, b in pairwise(starts)] == [*(1, 1, 1, 2, 2, 2, 3, 4, 5, 5)]


def test_many_varints_are_those_of_parts():
    numbers = np.random.default_rng(0).integers(0, 2**20, 600_000)

    content, starts = varints(numbers)

    assert starts[-1] == len(content)
    assert decoded(content[: starts[1000]].tobytes()) == numbers[:1000].tolist()
    assert decoded(content[starts[-1000] :].tobytes()) == numbers[-999:].tolist()
    assert len(varints(np.empty(0, np.int64))[0]) == 0


def test_a_container_is_safetensors_in_a_zlib_stream():
    arrays = {"b": np.arange(6, dtype=np.float64).reshape(2, 3), "a": np.array([1], np.uint8)}

    content = packed(arrays)
    read = load(zlib.decompress(content))

    assert content == packed(dict(reversed(arrays.items())))
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
