"""Time calls in turns: on a machine that does other work too, all of them meet the same load."""

import statistics
import time
from collections.abc import Callable, Mapping


def measure(
    calls: Mapping[str, Callable[[], object]], n_texts: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return microseconds a text of each call: the best of all rounds, and the median."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e6 * (time.perf_counter() - start) / n_texts)
    return {
        name: {"best_us": round(min(values), 3), "median_us": round(statistics.median(values), 3)}
        for name, values in times.items()
    }
