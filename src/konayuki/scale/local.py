"""The engine of one machine: a process for every core, each with parts of its own."""

import multiprocessing
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from konayuki.scale.embedder import Embedder, Job, PartReport
from konayuki.scale.parts import Part
from konayuki.scale.storage import Store

AHEAD = 2  # parts submitted per worker: what waits in the pool costs memory
_embedder: Embedder


def run_local(
    job: Job, source: Store, target: Store, parts: Sequence[Part], workers: int
) -> Iterator[PartReport]:
    """Yield the report of every part as it is done.

    A single worker is this process itself. Threads would share one interpreter, which reads JSON
    and makes strings on one core; processes share the rows of a 4-bit model all the same, through
    its file. If a worker dies, the unfinished parts go to new ones.
    """
    if workers == 1:
        embedder = Embedder(job, source, target)
        for part in parts:
            yield embedder.embed(part)
        return
    waiting = list(parts)
    while waiting:
        # One at a time, to find out which of them kills its worker.
        for part in (yield from _until_broken(job, source, target, waiting, workers)):
            if (yield from _until_broken(job, source, target, [part], 1)):
                yield PartReport(part.name, error=f"{part.source.path}: its worker died twice")


def _until_broken(
    job: Job, source: Store, target: Store, waiting: list[Part], workers: int
) -> Generator[PartReport, None, list[Part]]:
    """Yield reports until a worker dies or all is done; return the parts that were under way.

    Submitted parts are removed from `waiting`.
    """
    running: dict[Future[PartReport], Part] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (job, source, target)) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers * AHEAD:
                    part = waiting[0]
                    running[pool.submit(_embed, part)] = waiting.pop(0)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    report = future.result()
                    del running[future]
                    yield report
        except BrokenProcessPool:
            pass
    return list(running.values())


def _start(job: Job, source: Store, target: Store) -> None:
    global _embedder
    _embedder = Embedder(job, source, target)
    os.environ["KONAYUKI_THREADS"] = "1"  # every core has a worker


def _embed(part: Part) -> PartReport:
    return _embedder.embed(part)
