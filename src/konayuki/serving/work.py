"""Computing next to the event loop: few calls at a time, few waiting, none too long."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from konayuki.serving.problems import Problem, busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkPool:
    """A few threads with a short queue.

    Args:
        name: What the threads are called.
        threads: Number of calls that run at a time.
        pending: Number of calls that may wait; more are turned away.
        timeout_s: Longest time from the request to the result.
    """

    def __init__(self, name: str, threads: int, pending: int, timeout_s: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = threading.BoundedSemaphore(threads + pending)
        self._timeout_s = timeout_s

    async def run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return the result of a call.

        Raises:
            Problem: Too many calls wait, or the time is over; a call that has begun goes on.
        """
        if not self._slots.acquire(blocking=False):
            raise busy("overloaded", "too many requests wait: expected fewer at a time")
        try:
            future = self._executor.submit(function, *args, **kwargs)
        except RuntimeError as error:
            self._slots.release()
            raise busy("stopping", "the server is stopping") from error
        # Not at the end of this coroutine: a call whose client gave up still takes its slot.
        future.add_done_callback(self._release_slot)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._timeout_s)
        except asyncio.TimeoutError:
            raise Problem(503, "timeout", f"no answer within {self._timeout_s:g} seconds") from None

    def close(self) -> None:
        """Finish the calls that run, drop those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _release_slot(self, _: "Future[Any]") -> None:
        self._slots.release()
