"""What is promised as one thing is one thing: a request's documents, an upload's passages."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serving.live import Live, serving


@pytest.mark.slow
def test_a_bad_record_behind_more_than_one_batch_stores_none(
    tmp_path: Path, model_folder: Path
) -> None:
    large = [{"id": f"big{n}", "text": "snow falls. " * 80_000} for n in range(6)]
    bad = {"id": "bad", "text": "a", "metadata": {"a": float("nan")}}
    arguments = ("--create", "--model", str(model_folder))
    with serving(str(tmp_path / "i"), *arguments) as live:
        reply = live.call("POST", "/documents", {"documents": [*large, bad]})
        documents = live.call("GET", "/info").json["documents"]

    assert reply.status == 422
    assert documents == 0


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"[" * 101 + b"]" * 101])
def test_metadata_beyond_the_limits_stores_none(live: Live, value: bytes) -> None:
    good = b'{"id": "good", "text": "a"}'
    bad = b'{"id": "bad", "text": "a", "metadata": {"a": ' + value + b"}}"
    body = b'{"documents": [' + good + b", " + bad + b"]}"
    reply = live.call("POST", "/documents", body, headers={"Content-Type": "application/json"})

    assert reply.status in {400, 422}
    assert live.call("GET", "/documents/good").status == 404


def test_a_file_with_a_deep_line_stores_none_and_searches_go_on(live: Live) -> None:
    deep = '{"id": "deep", "text": "富士山の雪", "m": ' + "[" * 300 + "]" * 300 + "}"
    good = json.dumps({"id": "good", "text": "富士山の雪"})
    reply = live.call("PUT", "/files/deep.jsonl", f"{good}\n{deep}\n".encode())

    assert reply.status == 422
    assert live.call("GET", "/documents/good").status == 404
    assert live.search("富士山の雪")["hits"][0]["id"] == "fuji"


def test_metadata_of_the_deepest_kind_comes_back(live: Live) -> None:
    metadata: Any = {"a": 10**30}
    for _ in range(98):
        metadata = {"a": metadata}
    live.add({"id": "deep", "text": "富士山の雪", "metadata": metadata})

    hit = next(hit for hit in live.search("富士山の雪")["hits"] if hit["id"] == "deep")
    assert hit["metadata"] == metadata


def test_no_search_sees_the_old_and_the_new_version_of_a_file(live: Live) -> None:
    stop = threading.Event()

    def put(version: int) -> None:
        text = "\n".join(f"# 節{n}\n富士山の雪 版{version}" for n in range(4))
        assert live.call("PUT", "/files/a.md", text.encode()).status == 200

    def look() -> list[set[str]]:
        seen = []
        while not stop.is_set():
            hits = live.search("富士山の雪", k=20, where={"path": "a.md"})["hits"]
            assert len(hits) == 4
            seen.append({hit["text"][-2:] for hit in hits})
        return seen

    put(0)
    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(4)]
        for version in range(1, 16):
            put(version % 10)
        stop.set()
        answers = [seen for future in looking for seen in future.result()]

    assert len(answers) > 8
    assert all(len(versions) == 1 for versions in answers)
