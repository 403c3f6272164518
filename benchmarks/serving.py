"""Load on loopback: throughput, latency and memory of the service and a peer in the same run.

`wrk` makes the load (Debian: apt install wrk). The peer is sentence-transformers with a 1024-d
StaticEmbedding behind FastAPI, see serving_peer.py; it needs the extra `train` and fastapi.
"""

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from environment import environment
from konayuki.model.static import BUNDLED
from konayuki.search import Index
from search import records
from synthetic import Language

HERE = Path(__file__).parent
PACKAGES = ("uvicorn", "starlette", "fastapi", "sentence-transformers", "torch", "tokenizers")
N_BODIES = 200
N_BATCH = 32
CONNECTIONS = (1, 4, 16, 64)
LUA = """
local paths, bodies = {}, {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format("POST", os.getenv("AT"), {["Content-Type"] = "application/json"}, bodies[at])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %f %f\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Case(NamedTuple):
    """One kind of request."""

    name: str
    path: str
    bodies: Sequence[dict[str, Any]]


def cases(language: Language, texts: Sequence[str]) -> list[Case]:
    """Return what is asked for: an embedding, a batch of them, a search."""
    source = language.source
    questions = [language.question(text) for text in texts]
    batches = [source.sample(list(texts), N_BATCH) for _ in range(N_BODIES)]
    one = [{"model": "konayuki", "input": [question]} for question in questions]
    many = [{"model": "konayuki", "input": batch} for batch in batches]
    return [
        Case("embed 1 question", "/v1/embeddings", one),
        Case(f"embed {N_BATCH} passages", "/v1/embeddings", many),
        Case("search, k=10", "/search", [{"query": question} for question in questions]),
    ]


@contextmanager
def running(command: Sequence[str], port: int, probe: str) -> Iterator[int]:
    """Run a server and yield its process id when it answers."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def load(case: Case, port: int, connections: int, seconds: int, folder: Path) -> dict[str, float]:
    """Return throughput and latency under a number of connections."""
    bodies = folder / "bodies"
    bodies.write_text("".join(json.dumps(body) + "\n" for body in case.bodies), "utf-8")
    (folder / "load.lua").write_text(LUA)
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s",
        "-s", str(folder / "load.lua"), f"http://127.0.0.1:{port}",
    ]  # fmt: skip
    variables = {**os.environ, "BODIES": str(bodies), "AT": case.path}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    fields = done.stdout.split("RESULT ")[1].split()
    requests, duration_us, errors = (int(field) for field in fields[:3])
    return {
        "requests_per_s": round(requests / duration_us * 1e6, 1),
        "p50_ms": round(float(fields[3]) / 1000, 2),
        "p99_ms": round(float(fields[4]) / 1000, 2),
        "requests": requests,
        "errors": errors,
    }


def resident_mb(process: int) -> float:
    """Return the memory that a process holds, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def measure(
    command: Sequence[str], port: int, probe: str, todo: Sequence[Case], seconds: int, folder: Path
) -> dict[str, Any]:
    """Return every case at every number of connections, and memory before and after."""
    rows = []
    with running(command, port, probe) as process:
        for case in todo:  # warm, and memory at its working size
            load(case, port, 64, 2, folder)
        before = resident_mb(process)
        for case in todo:
            for connections in CONNECTIONS:
                row = load(case, port, connections, seconds, folder)
                rows.append({"case": case.name, "connections": connections, **row})
                print(json.dumps(rows[-1]), file=sys.stderr)
        after = resident_mb(process)
    return {"rows": rows, "resident_mb_before": before, "resident_mb_after": after}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ratios(ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, float]:
    """Return our throughput over the peer's, case by case."""
    theirs = {(row["case"], row["connections"]): row["requests_per_s"] for row in peer["rows"]}
    return {
        f"{row['case']}, {row['connections']} connections": round(
            row["requests_per_s"] / theirs[row["case"], row["connections"]], 2
        )
        for row in ours["rows"]
        if (row["case"], row["connections"]) in theirs
    }


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "serving.json")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed: apt install wrk")
    report: dict[str, Any] = {
        "environment": {**environment(PACKAGES), "load_generator": "on the same cores"},
        "passages": args.passages,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        language = Language(random.Random(0))  # noqa: S311 - texts, not secrets
        with Index.create(folder / "i") as index:
            index.add(records([language.passage() for _ in range(args.passages)]))
        todo = cases(language, [language.passage() for _ in range(N_BODIES)])
        port = free_port()
        ours = [
            sys.executable, "-m", "konayuki", "serve", str(folder / "i"),
            "--port", str(port), "--no-access-log",
        ]  # fmt: skip
        report["konayuki"] = measure(ours, port, "/health", todo, args.seconds, folder)
        if not args.no_peer:
            peer = [
                sys.executable, str(HERE / "serving_peer.py"),
                str(BUNDLED / "tokenizer.json"), str(port),
            ]  # fmt: skip
            report["peer"] = measure(peer, port, "/docs", todo[:2], args.seconds, folder)
            report["throughput_over_peer"] = ratios(report["konayuki"], report["peer"])
    args.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
