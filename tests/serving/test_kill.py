"""kill -9 of a server amid uploads: what was acknowledged is there, and nothing by half."""

import http.client
import json
import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from killed import Commands, commands
from konayuki.choices import MODES
from konayuki.search import Index

# The full size is 250 kills, a quarter of those in tests/search/test_kill.py.
KILLS = int(os.environ.get("KONAYUKI_KILLS", "200")) // 4
FEW_DEAD = "import konayuki.search.derived as derived; derived._DEAD_AT_LEAST = 15"
State = dict[str, str]  # texts by id
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def port_of(konayuki: Commands) -> int:
    """Wait until the server listens."""
    for line in konayuki.stderr:
        if address := re.search(r"on http://127.0.0.1:(\d+)/", line):
            return int(address[1])
    raise AssertionError("the server did not start")


def some_request(source: random.Random, number: int) -> tuple[str, str, Any, State, list[str]]:
    """Return method, path and body, what it stores, and the prefixes of the ids that it removes."""
    text = f"雪国の文書{number}"
    kind = source.choice(["upload", "upload", "upload", "add", "delete"])
    if kind == "upload":
        name = f"p{source.randrange(6)}.md"
        parts = [f"{text} 段{part}" for part in range(source.randint(1, 12))]
        body = "\n".join(f"## 節\n{part}" for part in parts).encode()
        stored = {f"{name}#{place}": part for place, part in enumerate(parts)}
        return "PUT", f"/files/{name}", body, stored, [f"{name}#"]
    ids = [f"k{source.randrange(30)}." for _ in range(source.randint(1, 10))]
    if kind == "add":
        documents = [{"id": identity, "text": text} for identity in ids]
        return "POST", "/documents", {"documents": documents}, dict.fromkeys(ids, text), []
    return "DELETE", f"/documents/{ids[0]}", None, {}, ids[:1]


def applied(state: State, stored: State, removed: list[str]) -> State:
    kept = {key: text for key, text in state.items() if not key.startswith(tuple(removed))}
    return kept | stored


def send(port: int, method: str, path: str, body: Any) -> bool:
    """Return whether the server acknowledged a request before it died."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    assert response.status in {200, 404}, response.status
    return True


def held(index: Index) -> State:
    """Return what the index holds, if both halves and the documents agree."""
    hits = index.search("雪国の文書", 1000, "dense")
    by_words = index.search("雪国の文書", 1000, "lexical")
    assert len(index) == len(hits)
    assert {hit.id: hit.text for hit in by_words} == {hit.id: hit.text for hit in hits}
    return {hit.id: hit.text for hit in hits}


def kill_again_and_again(folder: Path, n_kills: int, seed: int) -> int:
    """Return how many requests were stored, but killed before they were acknowledged."""
    source = random.Random(seed)  # noqa: S311 - the same requests in every run
    state: State = {}
    n_cut_short = number = 0
    Index.create(folder).close()
    modules = ("konayuki.cli.serve", "konayuki.serving.run", "konayuki.ingest")
    with commands(*modules, prepare=FEW_DEAD, stderr=subprocess.PIPE) as konayuki:
        for _ in range(n_kills):
            konayuki.start("serve", str(folder), "--port", "0")
            port = port_of(konayuki)
            killer = threading.Timer(source.uniform(0, 0.4), konayuki.kill)
            killer.start()
            acknowledged, pending = True, state
            while acknowledged:
                method, path, body, stored, removed = some_request(source, number)
                number += 1
                acknowledged = send(port, method, path, body)
                pending = applied(state, stored, removed)
                state = pending if acknowledged else state
            killer.join()
            with Index.open(folder) as index:
                found = held(index)
            assert found in (state, pending), f"seed {seed}, request {number}"
            n_cut_short += found != state
            state = found
    with Index.create(folder.with_name("new")) as new, Index.open(folder) as index:
        new.add({"id": key, "text": text, "heading": "節"} for key, text in state.items())
        assert held(index) == held(new)
        for mode in MODES:
            question = f"雪国の文書{number // 2} 段1"
            found_ids = {hit.id for hit in index.search(question, 1000, mode)}
            assert found_ids == {hit.id for hit in new.search(question, 1000, mode)}
    return n_cut_short


def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path):
    kill_again_and_again(tmp_path / "i", 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
def test_a_server_that_is_killed_again_and_again_loses_nothing(tmp_path: Path, seed: int):
    assert kill_again_and_again(tmp_path / "i", KILLS // 5, seed) > 0
