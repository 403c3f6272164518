"""The engine of a cluster: Ray Data gives parts to actors, and those of dead actors to others."""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from konayuki.errors import KonayukiError
from konayuki.extras import require
from konayuki.scale.embedder import Embedder, Job, PartReport
from konayuki.scale.parts import Part
from konayuki.scale.storage import Store

STORE_BYTES = 256 << 20  # of a cluster that we start: only reports go through its object store


def run_ray(
    job: Job,
    source: Store,
    target: Store,
    parts: Sequence[Part],
    workers: int | None,
    address: str | None,
) -> Iterator[PartReport]:
    """Yield the report of every part as it is done.

    Ray's rows are parts, and its actors read and write the files themselves, so that texts and
    vectors do not pass through its object store. A part whose actor died runs again elsewhere;
    its output appears when it is whole, so it exists once.

    Args:
        job: How rows are embedded.
        source: Store of the input; every machine must reach it.
        target: Store of the output; likewise.
        parts: The work.
        workers: Number of actors, one core each; None lets it follow the cluster.
        address: Address of a cluster, as in "ray://host:10001" or "auto"; None starts one here.

    Raises:
        KonayukiError: The cluster cannot be reached or gives up.
    """
    ray = require("ray", "ray")
    require("ray.data", "ray")
    with _connected(ray, address, workers):
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        max_workers = workers or int(ray.cluster_resources().get("CPU", 1))
        # Made here, not read by tasks: those need a core, and the actors may hold all of them.
        items = [{"part": pickle.dumps(part)} for part in parts]
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor,
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(
                min_size=workers or 1, max_size=max_workers, max_tasks_in_flight_per_actor=2
            ),
            fn_constructor_args=(job, source, target),
        )
        try:
            for row in dataset.iter_rows():
                yield PartReport(**row)
        except ray.exceptions.RayError as error:
            raise KonayukiError(
                f"the cluster gave up: {error}\n"
                "hint: run the same command again; finished parts are kept"
            ) from error


class _Actor:
    """A worker as Ray Data calls it: batches of parts in, reports out."""

    def __init__(self, job: Job, source: Store, target: Store) -> None:
        os.environ["KONAYUKI_THREADS"] = "1"  # an actor has one core
        self._embedder = Embedder(job, source, target)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        parts = map(pickle.loads, batch["part"])  # of our own making
        reports = list(map(self._embedder.embed, parts))
        columns = zip(*reports, strict=True)
        return dict(zip(PartReport._fields, map(list, columns), strict=True))


@contextmanager
def _connected(ray: Any, address: str | None, workers: int | None) -> Iterator[None]:  # noqa: ANN401
    """Connect to a cluster while the block runs; shut down only what was started here."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = {"num_cpus": workers, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            **({} if address else local),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise KonayukiError(f"cannot use Ray at {address or 'local'!r}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()
