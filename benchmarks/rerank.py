"""Rerank 100 passages a request over HTTP: requests per second against a cosine of model2vec.

python benchmarks/rerank.py [--seconds 10] [--rounds 3] [--json FILE]

Both servers run at once and take turns; the peer answers the same requests with model2vec's vectors
(our tokenizer and rows, 512 dimensions) behind Starlette, the plainest form of such a service. The
load comes from this process, on the same cores: the ratio says more than the numbers.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from corpus import DATA, ROOT
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from serving import free_port, running
from speed_peers import PEERS

PASSAGES = 100
CONNECTIONS = 4


def main() -> int:
    """Measure and write the record; as `peer FOLDER PORT`, serve the peer."""
    if sys.argv[1:2] == ["peer"]:
        serve_peer(sys.argv[2], int(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/rerank.json")
    args = parser.parse_args()
    bodies = requests()
    ports = {"konayuki": free_port(), "model2vec": free_port()}
    with tempfile.TemporaryDirectory() as folder:
        PEERS["model2vec"].write(Path(folder))
        ours = ["-m", "konayuki", "serve", "--port", str(ports["konayuki"]), "--no-access-log"]
        theirs = [__file__, "peer", folder, str(ports["model2vec"])]
        with (
            running([sys.executable, *ours], ports["konayuki"], "/health") as process,
            running([sys.executable, *theirs], ports["model2vec"], "/health"),
        ):
            turns: dict[str, list[dict[str, float]]] = {name: [] for name in ports}
            for port in ports.values():
                load(bodies, port, 2.0)
            memory = [resident_mb(process)]
            for _ in range(args.rounds):
                for name, port in ports.items():
                    turns[name].append(load(bodies, port, args.seconds))
                memory.append(resident_mb(process))
    medians = {
        name: {key: round(statistics.median(turn[key] for turn in lines), 2) for key in lines[0]}
        for name, lines in turns.items()
    }
    record = {
        **environment(["model2vec", "starlette", "uvicorn"]),
        "passages_a_request": PASSAGES,
        "characters_a_passage": round(
            statistics.mean(len(text) for body in bodies for text in json.loads(body)["documents"])
        ),
        "connections": CONNECTIONS,
        **medians,
        "ratio": round(
            medians["konayuki"]["requests_per_s"] / medians["model2vec"]["requests_per_s"], 2
        ),
        "memory_mb": memory,
        "requests": sum(round(turn["requests"]) for turn in turns["konayuki"]),
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record))
    return 0


def requests() -> list[bytes]:
    """Return bodies: a question and 100 passages of its evaluation set."""
    [item] = read_sets(DATA / "eval", only=["niilc"])
    assert isinstance(item, RetrievalSet)  # noqa: S101 - ours
    texts = [passage.text for passage in item.corpus.values()]
    questions = list(item.queries.values())[:50]
    return [
        json.dumps(
            {"query": text, "documents": texts[PASSAGES * n : PASSAGES * (n + 1)], "model": "x"},
            ensure_ascii=False,
        ).encode()
        for n, text in enumerate(questions)
    ]


def load(bodies: Sequence[bytes], port: int, seconds: float) -> dict[str, float]:
    """Return requests per second and times of an answer of a few connections."""
    deadline = time.perf_counter() + seconds

    def ask(first: int) -> list[float]:
        times = []
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        number = first
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/rerank", bodies[number % len(bodies)], headers)
            answer = connection.getresponse()
            if answer.status != 200 or len(json.loads(answer.read())["results"]) != PASSAGES:
                raise SystemExit(f"port {port}: status {answer.status}")
            times.append(1000 * (time.perf_counter() - started))
            number += 1
        connection.close()
        return times

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        times = sorted(ms for part in pool.map(ask, range(0, 40, 10)) for ms in part)
    return {
        "requests": len(times),
        "requests_per_s": len(times) / seconds,
        "p50_ms": times[len(times) // 2],
        "p99_ms": times[int(0.99 * len(times))],
    }


def resident_mb(process: int) -> float:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return round(int(kilobytes) / 1024, 1)


def serve_peer(folder: str, port: int) -> None:
    """Serve the cosines of model2vec."""
    import numpy as np
    import uvicorn
    from model2vec import StaticModel as Model2Vec
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    model = Model2Vec.from_pretrained(folder)

    def rank(body: dict[str, Any]) -> list[dict[str, Any]]:
        vectors = model.encode([body["query"], *body["documents"]], use_multiprocessing=False)
        cosines = vectors[1:] @ vectors[0]
        order = np.argsort(-cosines, kind="stable").tolist()
        return [{"index": row, "relevance_score": float(cosines[row])} for row in order]

    async def rerank(request: Request) -> JSONResponse:
        return JSONResponse({"results": rank(await request.json())})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({})

    routes = [Route("/v1/rerank", rerank, methods=["POST"]), Route("/health", health)]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    sys.exit(main())
