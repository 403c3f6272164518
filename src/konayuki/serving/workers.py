"""Several processes that answer from one socket: started, watched, stopped together."""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from konayuki.errors import KonayukiError

logger = logging.getLogger(__name__)

_LOOK_S = 0.2
_SETTLED_S = 5.0  # a worker that dies earlier will not do better when started again
_context = multiprocessing.get_context("spawn")


def run_workers(n_workers: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run `work(*arguments)` in so many processes until SIGINT or SIGTERM; replace those that die.

    Args:
        n_workers: how many.
        work: a function of a module, which ends in order on SIGTERM.
        arguments: values that can be pickled; sockets can.

    Raises:
        KonayukiError: A worker died right after its start.
    """
    with _stop_signals() as stopping:
        processes = [_started(work, arguments) for _ in range(n_workers)]
        try:
            while not stopping.is_set():
                wait([process.sentinel for process, _ in processes], timeout=_LOOK_S)
                if not stopping.is_set():
                    processes = [_alive(entry, work, arguments) for entry in processes]
        finally:
            for process, _ in processes:
                process.terminate()
            for process, _ in processes:
                process.join()


def end_with_parent() -> None:
    """Make this process end in order when its parent is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def _started(work: Callable[..., None], arguments: tuple[Any, ...]) -> tuple[SpawnProcess, float]:
    process = _context.Process(target=work, args=arguments)
    process.start()
    return process, time.monotonic()


def _alive(
    entry: tuple[SpawnProcess, float], work: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[SpawnProcess, float]:
    """Return the process, or a new one in its place."""
    process, since = entry
    if process.is_alive():
        return entry
    if time.monotonic() - since < _SETTLED_S:
        raise KonayukiError(f"a worker ended with {process.exitcode} right after its start")
    logger.warning("worker %s ended with %s: starting another", process.pid, process.exitcode)
    return _started(work, arguments)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
