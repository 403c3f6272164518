"""A process that holds one peer and measures it when told: JSON lines both ways.

A process of its own, because threads are set when libraries are loaded and memory is counted by
process. The first argument is the name of the peer, then its folder, then the number of threads.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from speed_peers import PEERS, Ready


def main(arguments: list[str]) -> None:
    """Load the peer, say so, and serve commands until stdin ends."""
    name, folder, threads = arguments
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # whatever libraries print must not mix with the answers
    if folder and threads == "0":
        PEERS[name].write(Path(folder))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(threads) :])
    before = memory_mb("VmRSS")
    start = time.perf_counter()
    ready = PEERS[name].load(Path(folder), int(threads))
    ready.encode(ready.prepare(["粉雪が舞う"]), PEERS[name].batches[0])
    _say(answers, {"load_s": time.perf_counter() - start})
    serve(ready, PEERS[name].batches[0], before, answers)


def serve(ready: Ready, default_batch: int, before_mb: float, answers: TextIO) -> None:
    """Answer commands: `texts` sets what is encoded, the others measure."""
    texts: list[str] = []
    prepared: Any = []
    for command in _commands():
        answer: dict[str, Any] = {}
        if command["do"] == "texts":
            texts = json.loads(Path(command["path"]).read_text("utf-8"))[: command["count"]]
            prepared = ready.prepare(texts)
        elif command["do"] == "batch":
            answer = timed(ready, prepared, command["batch"])
        elif command["do"] == "single":
            calls = [ready.prepare([text]) for text in texts]
            answer = {"seconds": [timed(ready, one, default_batch)["seconds"] for one in calls]}
        elif command["do"] == "memory":
            # Results are not counted: every peer has to hold them.
            vectors = np.asarray(ready.encode(prepared, default_batch))
            answer = {"growth_mb": memory_mb("VmHWM") - before_mb - vectors.nbytes / 1e6}
        _say(answers, answer)


def timed(ready: Ready, prepared: Any, batch: int) -> dict[str, float]:  # noqa: ANN401 - a peer's own
    """Return the wall and the processor time of encoding everything once."""
    start, processor = time.perf_counter(), time.process_time()
    ready.encode(prepared, batch)
    return {
        "seconds": time.perf_counter() - start,
        "processor_s": time.process_time() - processor,
    }


def memory_mb(field: str) -> float:
    """Return a line of /proc/self/status in MB: VmRSS now, VmHWM at most; nan elsewhere."""
    path = Path("/proc/self/status")
    lines = path.read_text("ascii").splitlines() if path.is_file() else []
    values = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(values[0]) / 1000 if values else float("nan")


def _commands() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
