"""Counters for Prometheus, of one process or summed over all workers."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from konayuki.serving.engine import Engine

CONTENT_TYPE = CONTENT_TYPE_LATEST
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client itself
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What a service counts.

    Args:
        engine: Whose documents are counted.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "konayuki_requests",
            "Requests that were answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "konayuki_request_seconds",
            "Time from a request to its answer",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.refused = Counter(
            "konayuki_refused",
            "Requests that were refused on the connection, before they reached a route",
            ["code"],
            registry=self._registry,
        )
        self.running = Gauge(
            "konayuki_requests_in_progress",
            "Requests that are being answered",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.stored = Gauge(
            "konayuki_documents",
            "Documents that a search can find",
            multiprocess_mode="mostrecent",
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def count_refusal(self, code: str) -> None:
        """Count a request that no route has seen: too slow, too large, malformed, one too many."""
        self.refused.labels(code).inc()

    def text(self) -> bytes:
        """Return every metric in Prometheus' text format."""
        if self._engine.index is not None:
            self.stored.set(len(self._engine.index))
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        total = CollectorRegistry()  # the sum over all workers
        MultiProcessCollector(total)  # type: ignore[no-untyped-call]
        return generate_latest(total)
