"""Searching over HTTP: time of an answer and answers per second, next to `Index.search` itself.

With `--before DIR`, the folder of another checkout, both serve in the same run and take turns. The
load comes from this process over loopback, on the same cores: a ratio says more than a number.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from environment import environment
from serving import free_port
from synthetic import Language

HERE = Path(__file__).parent
CONNECTIONS = (1, 4, 16)
K = 10
N_QUERIES = 1_000  # many more than the last few texts of which a process remembers the terms
# In a process of its own, with the code of each checkout: p50 and processor time of a search.
DIRECT = """
import json, sys, time, statistics
from konayuki.search import Index
index = Index.open(sys.argv[1])
queries = json.loads(sys.stdin.read())
times = []
for query in [*queries[:20], *queries]:
    start = time.perf_counter()
    index.search(query)
    times.append((time.perf_counter() - start) * 1000)
start = time.process_time()
for query in queries:
    index.search(query)
cpu_ms = (time.process_time() - start) * 1000 / len(queries)
print(statistics.median(times[20:]), cpu_ms)
"""


class Checkout:
    """The code of one commit: its index of the passages and its server."""

    def __init__(self, name: str, root: Path, records: Path, work: Path) -> None:
        self.name = name
        self.process_id = 0
        self.index = work / name
        self.port = free_port()
        self.environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        self.run("-m", "konayuki", "index", str(records), "--out", str(self.index))

    def run(self, *arguments: str, text: str = "") -> str:
        """Return what Python prints with this code."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, env=self.environment, input=text, capture_output=True, text=True, check=True
        )
        return done.stdout

    def direct_ms(self, queries: Sequence[str]) -> tuple[float, float]:
        """Return the p50 of `Index.search` and its processor time, in ms."""
        p50, cpu = self.run("-c", DIRECT, str(self.index), text=json.dumps(queries)).split()
        return float(p50), float(cpu)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server."""
        process = subprocess.Popen(
            [sys.executable, "-m", "konayuki", "serve", str(self.index),
             "--port", str(self.port), "--no-access-log"],
            env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.process_id = process.pid
        try:
            for _ in range(600):
                try:
                    self.post(HTTPConnection("127.0.0.1", self.port), b'{"query": ""}')
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait()

    def post(self, connection: HTTPConnection, body: bytes) -> None:
        """Send one search and read its answer."""
        connection.request("POST", "/search", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.name}: status {response.status}")

    def cpu_s(self) -> float:
        """Return the processor time of the server, which depends less on what else runs."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(self, bodies: Sequence[bytes], n_connections: int, seconds: float) -> list[float]:
        """Return the time of each answer in ms, from connections that ask without a pause."""
        stop = time.perf_counter() + seconds
        times: list[float] = []

        def ask(number: int) -> None:
            connection = HTTPConnection("127.0.0.1", self.port)
            source = random.Random(number)  # noqa: S311 - which question is no secret
            while (start := time.perf_counter()) < stop:
                self.post(connection, source.choice(bodies))
                times.append((time.perf_counter() - start) * 1000)
            connection.close()

        with ThreadPoolExecutor(n_connections) as pool:
            list(pool.map(ask, range(n_connections)))
        return times


def measure(
    checkouts: Sequence[Checkout], queries: Sequence[str], seconds: float, rounds: int
) -> dict[str, Any]:
    """Return the figures of each checkout; they take turns, and the median of the rounds counts."""
    bodies = [json.dumps({"query": query, "k": K}).encode() for query in queries]
    results: dict[str, Any] = {checkout.name: {"rows": []} for checkout in checkouts}
    direct: dict[str, list[tuple[float, float]]] = {checkout.name: [] for checkout in checkouts}
    with ExitStack() as stack:
        for checkout in checkouts:
            stack.enter_context(checkout.serving())
            checkout.load(bodies, 1, 2)
        for _ in range(rounds):
            for checkout in checkouts:
                direct[checkout.name].append(checkout.direct_ms(queries))
        for n_connections in CONNECTIONS:
            runs: dict[str, list[list[float]]] = {checkout.name: [] for checkout in checkouts}
            cpu_s = dict.fromkeys(runs, 0.0)
            for _ in range(rounds):
                for checkout in checkouts:
                    cpu_s[checkout.name] -= checkout.cpu_s()
                    runs[checkout.name].append(checkout.load(bodies, n_connections, seconds))
                    cpu_s[checkout.name] += checkout.cpu_s()
            for name, samples in runs.items():
                row = {
                    "connections": n_connections,
                    "requests_per_s": round(statistics.median(map(len, samples)) / seconds, 1),
                    "p50_ms": round(statistics.median(map(statistics.median, samples)), 2),
                    "server_cpu_ms": round(cpu_s[name] * 1000 / sum(map(len, samples)), 3),
                }
                results[name]["rows"].append(row)
                print(name, json.dumps(row), file=sys.stderr)
    for name, times in direct.items():
        p50_ms, cpu_ms = (
            round(statistics.median(column), 3) for column in zip(*times, strict=True)
        )
        results[name]["index_search"] = {"p50_ms": p50_ms, "cpu_ms": cpu_ms}
    return results


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, metavar="DIR", help="checkout to compare with")
    parser.add_argument("--passages", type=int, default=8_000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "search_http.json")
    args = parser.parse_args()
    language = Language(random.Random(0))  # noqa: S311 - texts, not secrets
    passages = [language.passage() for _ in range(args.passages)]
    queries = [language.question(language.source.choice(passages)) for _ in range(N_QUERIES)]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        records = work / "passages.jsonl"
        rows = ({"id": str(number), "text": text} for number, text in enumerate(passages))
        records.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        roots = {"now": HERE.parent, **({"before": args.before} if args.before else {})}
        checkouts = [Checkout(key, root, records, work) for key, root in roots.items()]
        results = measure(checkouts, queries, args.seconds, args.rounds)
    report: dict[str, Any] = {
        "environment": {**environment(["uvicorn", "starlette", "orjson", "httptools"]),
                        "load_generator": "on the same cores"},
        "passages": args.passages, "k": K, "seconds": args.seconds, "rounds": args.rounds,
        **results,
    }  # fmt: skip
    http, direct = results["now"]["rows"][0], results["now"]["index_search"]
    if args.before:
        report["server_cpu_over_before"] = {
            str(new["connections"]): round(new["server_cpu_ms"] / old["server_cpu_ms"], 2)
            for new, old in zip(results["now"]["rows"], results["before"]["rows"], strict=True)
        }
    report["http_over_index"] = {
        "p50": round(http["p50_ms"] / direct["p50_ms"], 2),
        "cpu": round(http["server_cpu_ms"] / direct["cpu_ms"], 2),
    }
    if args.before:
        report["requests_per_s_over_before"] = {
            str(new["connections"]): round(new["requests_per_s"] / old["requests_per_s"], 2)
            for new, old in zip(results["now"]["rows"], results["before"]["rows"], strict=True)
        }
    args.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
