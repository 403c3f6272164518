"""Every instruction set that this machine runs, for tests that hold for each of them."""

import pytest

from konayuki.model.native import Kernel

try:
    from konayuki.model.native import _kernel
except ImportError:  # the extension is optional
    LEVELS: tuple[str, ...] = ()
else:
    LEVELS = _kernel.levels()

each_level = pytest.mark.parametrize(
    "level",
    LEVELS or [pytest.param("none", marks=pytest.mark.skip("the extension is not built"))],
)


def at(level: str) -> Kernel:
    return Kernel(_kernel, level)
