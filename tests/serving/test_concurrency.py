"""Searches while documents come and go: every answer is a state that was committed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from serving.live import Live, serving

N_SEARCHERS = 64
N_CHANGES = 12
N_PARTS = 8


class Seen(NamedTuple):
    """An answer, with the last change finished before it and the last begun after it."""

    finished_before: int
    begun_after: int
    versions: list[int]


class Changes:
    """The changes so far: odd ones store version n of every part, even ones delete them all."""

    def __init__(self) -> None:
        self.begun = 0
        self.finished = 0

    def make(self, live: Live, number: int) -> None:
        self.begun = number
        if number % 2:
            live.add(*(part(n, number) for n in range(N_PARTS)))
        else:
            assert live.delete("set").json["deleted"] == N_PARTS
        self.finished = number


def part(number: int, version: int) -> dict[str, Any]:
    return {
        "id": f"set#{number}",
        "text": f"富士山の雪 {number} {version}",
        "chunk_of": "set",
        "metadata": {"set": True, "version": version},
    }


@pytest.fixture(
    scope="module",
    params=[1, pytest.param(2, marks=pytest.mark.slow)],
    ids=["1 worker", "2 workers"],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_folder: Path
) -> Iterator[Live]:
    index = tmp_path_factory.mktemp("index") / "notes.konayuki"
    arguments = ("--create", "--model", str(model_folder), "--workers", str(request.param))
    with serving(str(index), *arguments, "--no-access-log") as live:
        live.add(*({"id": f"other{n}", "text": f"琵琶湖の雪 {n}"} for n in range(50)))
        yield live


def test_64_searches_at_a_time_see_only_committed_states(server: Live) -> None:
    changes, stop = Changes(), threading.Event()

    def look(searcher: int) -> list[Seen]:
        seen = []
        mode = ("hybrid", "dense", "lexical")[searcher % 3]
        while not stop.is_set():
            before = changes.finished
            hits = server.search("富士山の雪", k=20, mode=mode, where={"set": True})["hits"]
            versions = [hit["metadata"]["version"] for hit in hits]
            seen.append(Seen(before, changes.begun, versions))
        return seen

    with ThreadPoolExecutor(N_SEARCHERS) as pool:
        looking = [pool.submit(look, n) for n in range(N_SEARCHERS)]
        try:
            for number in range(1, N_CHANGES + 1):
                changes.make(server, number)
        finally:
            stop.set()
        answers = [seen for future in looking for seen in future.result()]

    assert len(answers) >= N_SEARCHERS
    for seen in answers:
        check(seen)
    assert any(seen.versions for seen in answers)
    assert any(not seen.versions for seen in answers)


def check(seen: Seen) -> None:
    """The answer is whole, and not older than what was acknowledged before it was asked for."""
    possible = range(seen.finished_before, seen.begun_after + 1)
    if seen.versions:
        assert len(seen.versions) == N_PARTS
        assert len(set(seen.versions)) == 1
        assert seen.versions[0] in possible
    else:
        assert any(number % 2 == 0 for number in possible)
