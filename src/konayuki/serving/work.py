"""Computing beside the event loop: so many at a time, so many waiting, so long."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from konayuki.serving.problems import Problem, busy


class WorkPool:
    """A few threads with a short queue.

    Args:
        name: what the threads are called.
        threads: calls that run at a time.
        pending: calls that run or wait; more are turned away.
        timeout_s: longest time from the request to the result.
    """

    def __init__(self, name: str, threads: int, pending: int, timeout_s: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(threads + pending)
        self._timeout_s = timeout_s

    async def run(self, call: Callable[[], bytes]) -> bytes:
        """Return the result of `call`.

        Raises:
            Problem: too many calls wait, or the time is over; a call that has begun goes on.
        """
        if not self._places.acquire(blocking=False):
            raise busy("overloaded", "too many requests wait: expected fewer at a time")
        try:
            future = self._executor.submit(call)
        except RuntimeError as error:
            self._places.release()
            raise busy("stopping", "the server is stopping") from error
        # Not at the end of this coroutine: a call whose client gave up still takes its place.
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._timeout_s)
        except asyncio.TimeoutError:
            raise Problem(503, "timeout", f"no answer within {self._timeout_s:g} seconds") from None

    def close(self) -> None:
        """Finish what runs, forget what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)
