"""The precision of the matrix products of training and of the teacher.

bfloat16 halves the bytes, and processors with AMX or AVX512-BF16 multiply it several times as fast
as float32. Others unpack it number by number, and then it is several times as slow.
"""

import time
from functools import cache

import torch

PROBE = (256, 384, 1024)  # rows, inner and columns of the product that is timed
TIMES = 4
WORTHWHILE = 1.3  # times as fast; less is noise, which must not decide a run's precision


def product_dtype(bf16: bool = True) -> torch.dtype:
    """Return bfloat16 if it is asked for and this processor is fast with it, or else float32."""
    return torch.bfloat16 if bf16 and bf16_pays() else torch.float32


@cache
def bf16_pays() -> bool:
    """Return whether this processor multiplies bfloat16 faster than float32; it is timed once."""
    return _seconds(torch.float32) > WORTHWHILE * _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    """Return the shortest time of a product; the first one prepares the kernels."""
    n_rows, n_inner, n_columns = PROBE
    left, right = torch.ones(n_rows, n_inner, dtype=dtype), torch.ones(n_inner, n_columns).to(dtype)
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
