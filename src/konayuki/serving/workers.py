"""Several processes that answer from one socket, and how each of them ends."""

import faulthandler
import logging
import multiprocessing
import signal
import threading
import time
from types import FrameType

from uvicorn.supervisors import Multiprocess

from konayuki.errors import KonayukiError

logger = logging.getLogger(__name__)

STARTUP_FAILURE = 3  # uvicorn's exit status of a worker that could not be started
_GRACE_S = 1.0


class Supervisor(Multiprocess):
    """uvicorn's supervisor: starts workers, replaces those that die or hang, ends them together."""

    def run(self) -> None:
        """Run the workers until SIGINT or SIGTERM.

        Raises:
            KonayukiError: A worker could not be started; its log says why.
        """
        super().run()
        if any(process.process.exitcode == STARTUP_FAILURE for process in self.processes):
            raise KonayukiError("a worker could not be started: expected all of them to serve")

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended, unless one could not be started at all."""
        if any(process.process.exitcode == STARTUP_FAILURE for process in self.processes):
            self.should_exit.set()
            return
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                status = f"worker {old.pid} ended with {old.process.exitcode}"
                logger.warning("%s: started another", status)

    def join_all(self) -> None:
        """Wait for the workers, and kill those that do not even notice the signal."""
        deadline = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + 2 * _GRACE_S
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.process.exitcode is None:
                process.kill()
        super().join_all()


def end_with_parent() -> None:
    """Make this process end in order when its parent is gone, however the parent ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def end_by_deadline(seconds: float) -> None:
    """Make SIGINT and SIGTERM end this process in time, even if a thread computes on.

    What a thread has not committed by then is lost, as in a power cut; what was acknowledged is on
    disk. The log shows what each thread was doing. faulthandler needs no lock of the interpreter.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, handler: object = handler) -> None:
            faulthandler.dump_traceback_later(seconds + _GRACE_S, exit=True)
            if callable(handler):
                handler(number, frame)

        signal.signal(number, stop)
