"""How fast texts become vectors, here and elsewhere: all peers in one run, in turns.

Every peer has a process of its own (`speed_worker`) and waits while another one is measured, so a
busy moment of the machine meets all of them. The best of the rounds is the one to compare.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from konayuki.errors import KonayukiError
from speed_peers import OURS, PEERS, installed

_LONGEST_S = 0.3  # of one call: slow peers get fewer texts
_PROBE = 16
_SINGLES = 300
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


class PeerFailedError(KonayukiError):
    """A peer could not be loaded or stopped; the message is the last line that it wrote."""


@dataclass
class Line:
    """What was measured of one peer with one kind of texts; times are microseconds a text.

    Attributes:
        peer: Its name in `PEERS`.
        threads: How many processors it could use.
        kind: Which texts.
        texts: How many in one call.
        default_us: Best time at its default batch size.
        default_median_us: Median of the rounds at that size.
        best_us: Best time at its best batch size.
        best_batch: That size; 0 if the peer has none.
        default_processor_us: Least processor time at its default batch size, all threads together:
            comparable even if other programs keep the machine busy.
        best_processor_us: The same at the batch size at which it is least.
        single_p50_us: Median of one text at a time, nan if it was not measured.
        single_p99_us: The 99th percentile of that.
    """

    peer: str
    threads: int
    kind: str
    texts: int
    default_us: float
    default_median_us: float
    best_us: float
    best_batch: int
    default_processor_us: float
    best_processor_us: float
    single_p50_us: float = float("nan")
    single_p99_us: float = float("nan")


@dataclass
class Speed:
    """A whole run.

    Attributes:
        lines: What was measured.
        notes: Why peers are missing.
        load_s: Seconds to load each peer and encode one text, in a process that has NumPy.
    """

    lines: list[Line] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    load_s: dict[str, float] = field(default_factory=dict)


class Worker:
    """A process that holds one peer.

    Raises:
        PeerFailedError: The peer cannot be loaded.
    """

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        self.name = name
        self.threads = threads
        self._process = subprocess.Popen(
            [*_command(name, folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **_thread_settings(threads)},
        )
        self.load_s: float = self._answer()["load_s"]

    def ask(self, do: str, **values: object) -> dict[str, Any]:
        """Send a command and return its answer."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for above
        self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for above
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            last = [text for text in errors.splitlines() if text.strip()][-1:]
            raise PeerFailedError(f"{self.name}: {last[0] if last else 'stopped'}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def write_folders(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Write the model folder of each peer, each in a process of its own."""
    folders = {name: folder / name for name in names}
    for name, target in folders.items():
        command = [*_command(name, target), "0"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise PeerFailedError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return folders


def measure(
    texts: Mapping[str, Sequence[str]],
    *,
    peers: Sequence[str] = tuple(PEERS),
    threads: int = 1,
    rounds: int = 7,
    report: Callable[[str], None] = lambda _: None,
) -> Speed:
    """Measure the peers that are installed, ours among them if it is named.

    Args:
        texts: Lists of texts by name.
        peers: Names in `PEERS`.
        threads: How many processors each may use.
        rounds: How often everything is measured.
        report: Called with a line on what is being done.

    Raises:
        NotFoundError: There is no such peer.
    """
    speed = Speed()
    names, speed.notes = installed(peers)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        workers = []
        for name, path in write_folders(names, folder).items():
            report(f"load {PEERS[name].label}")
            try:
                worker = Worker(name, path, threads)
            except PeerFailedError as error:
                speed.notes[name] = str(error)
                continue
            stack.callback(worker.close)
            workers.append(worker)
            speed.load_s[name] = round(worker.load_s, 4)
        for kind, some in texts.items():
            path = folder / f"{kind}.json"
            path.write_text(json.dumps(list(some)), "utf-8")
            speed.lines += _measure_kind(workers, kind, path, len(some), rounds, report)
    return speed


def _measure_kind(
    workers: Sequence[Worker],
    kind: str,
    path: Path,
    count: int,
    rounds: int,
    report: Callable[[str], None],
) -> list[Line]:
    counts = {worker.name: _count(worker, path, count) for worker in workers}
    times: dict[tuple[str, int], list[float]] = {}
    processor: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        report(f"{kind}, round {number + 1} of {rounds}")
        for worker in workers:
            for batch in PEERS[worker.name].batches:
                answer = worker.ask("batch", batch=batch)
                scale = 1e6 / counts[worker.name]
                times.setdefault((worker.name, batch), []).append(answer["seconds"] * scale)
                processor.setdefault((worker.name, batch), []).append(answer["processor_s"] * scale)
    lines = []
    for worker in workers:
        line = _line(worker, kind, counts[worker.name], times, processor)
        singles = _singles(worker, path, counts[worker.name])
        line.single_p50_us, line.single_p99_us = np.percentile(singles, (50, 99)).round(2).tolist()
        lines.append(line)
    return lines


def _line(
    worker: Worker,
    kind: str,
    count: int,
    times: Mapping[tuple[str, int], Sequence[float]],
    processor: Mapping[tuple[str, int], Sequence[float]],
) -> Line:
    batches = PEERS[worker.name].batches
    best = min(batches, key=lambda batch: min(times[worker.name, batch]))
    default = times[worker.name, batches[0]]
    return Line(
        peer=worker.name,
        threads=worker.threads,
        kind=kind,
        texts=count,
        default_us=round(min(default), 3),
        default_median_us=round(statistics.median(default), 3),
        best_us=round(min(times[worker.name, best]), 3),
        best_batch=best,
        default_processor_us=round(min(processor[worker.name, batches[0]]), 3),
        best_processor_us=round(min(min(processor[worker.name, size]) for size in batches), 3),
    )


def _count(worker: Worker, path: Path, count: int) -> int:
    """Return the number of texts of a call: all of them, or fewer for a slow peer."""
    probe = min(_PROBE, count)
    worker.ask("texts", path=str(path), count=probe)
    batch = PEERS[worker.name].batches[0]
    worker.ask("batch", batch=batch)
    seconds = worker.ask("batch", batch=batch)["seconds"]
    count = max(probe, min(count, int(probe * _LONGEST_S / max(seconds, 1e-9))))
    worker.ask("texts", path=str(path), count=count)
    return count


def _singles(worker: Worker, path: Path, count: int) -> list[float]:
    """Return the microseconds of one text at a time, the first few left out."""
    worker.ask("texts", path=str(path), count=min(count, _SINGLES))
    seconds = worker.ask("single")["seconds"]
    return [1e6 * value for value in seconds[len(seconds) // 10 :]]


def ratios(lines: Sequence[Line]) -> dict[str, dict[str, float]]:
    """Return how many times ours each peer takes, by peer, kind and threads.

    At its default and at its best batch size, by the clock and in processor time; one by one.
    """
    ours = {(line.kind, line.threads): line for line in lines if line.peer == OURS}
    found: dict[str, dict[str, float]] = {}
    for line in lines:
        base = ours.get((line.kind, line.threads))
        if base is None or line.peer == OURS:
            continue
        found[f"{line.peer}, {line.kind}, {_threads(line.threads)}"] = {
            "default": round(line.default_us / base.default_us, 2),
            "best": round(line.best_us / base.default_us, 2),
            "default_processor": round(line.default_processor_us / base.default_processor_us, 2),
            "best_processor": round(line.best_processor_us / base.default_processor_us, 2),
            "single_p50": round(line.single_p50_us / base.single_p50_us, 2),
        }
    return found


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"


def _command(name: str, folder: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("speed_worker.py")), name, str(folder)]


def _thread_settings(threads: int) -> dict[str, str]:
    settings = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**settings, "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
