"""The compiled loops of the model: optional at build time, chosen by processor at run time.

`kernel()` gives them, or None if they were not built; NumPy does the same work then. The
environment variable KONAYUKI_KERNEL picks an instruction set by name (`avx512`, `avx2`, `sse2`,
`neon`, `scalar`) or turns the kernel off (`numpy`).
"""

from konayuki.model.native.binding import Kernel, Table, describe, kernel
from konayuki.model.native.scan import Scanner
from konayuki.model.native.tokenizing import REWRITES, Rules, Unigram

__all__ = ["REWRITES", "Kernel", "Rules", "Scanner", "Table", "Unigram", "describe", "kernel"]
