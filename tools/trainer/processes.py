"""The processes that `torchrun` starts for one run, and how they wait for each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

LONGEST_PREPARATION = timedelta(hours=24)  # the default, 30 minutes, is less than teachers take


def n_processes() -> int:
    """Return how many processes `torchrun` started for this run: 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Return whether this process writes the results."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def main_process_first() -> Iterator[None]:
    """Let the first process run the block alone, then the others: it fills the cache for them."""
    if n_processes() == 1:
        yield
        return
    with _processes().main_process_first():
        yield


def wait_for_all() -> None:
    """Return when every process has reached this point."""
    if n_processes() > 1:
        _processes().wait_for_everyone()


def _processes() -> Any:  # noqa: ANN401 - of an optional package
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_PREPARATION)
