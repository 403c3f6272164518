"""Searching beside a writer: every answer is one committed state, none waits."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from konayuki.choices import MODES
from konayuki.errors import IndexLockedError
from konayuki.search import Index
from search.stand_in import HashEncoder

MODEL = HashEncoder()


def batch(round_number: int) -> list[dict]:
    """All documents of a round say which round it is."""
    return [{"id": f"d{n}", "text": f"文書 round{round_number}"} for n in range(5)]


@pytest.mark.parametrize("n_searchers", [6, pytest.param(64, marks=pytest.mark.slow)])
def test_every_answer_is_one_committed_state(fresh, monkeypatch, n_searchers: int):
    monkeypatch.setattr("konayuki.search.derived._DEAD_AT_LEAST", 20)
    index = Index.open(fresh(), MODEL)
    index.add(batch(0))
    done = threading.Event()
    faults: list[str] = []

    def search(number: int) -> int:
        n_answers, last = 0, 0
        while not done.is_set() or n_answers == 0:
            hits = index.search("文書", 10, MODES[(number + n_answers) % 3])
            rounds = {int(hit.text.rpartition("round")[2]) for hit in hits}
            if len(hits) not in (0, 5) or len(rounds) > 1 or min(rounds, default=last) < last:
                faults.append(f"{[(hit.id, hit.text) for hit in hits]} after {last}")
            last = max(rounds, default=last)
            n_answers += 1
        return n_answers

    with ThreadPoolExecutor(n_searchers) as pool:
        searches = [pool.submit(search, number) for number in range(n_searchers)]
        try:
            for number in range(1, 9):
                if number % 4 == 0:
                    index.delete([f"d{n}" for n in range(5)])
                index.add(batch(number))
        finally:
            done.set()
        answers = sum(result.result() for result in searches)
    index.close()
    assert not faults
    assert answers >= n_searchers


def test_two_threads_may_write_through_one_index(fresh):
    with Index.open(fresh(), MODEL) as index, ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(index.add, [{"id": f"{w}-{n}", "text": "文"} for n in range(50)])
            for w in range(4)
        ]
        assert [job.result() for job in jobs] == [50] * 4
        assert len(index) == 200
        assert len(index.search("文", 500, "dense")) == 200


READER = """
import sys, time
sys.path[:0] = sys.argv[2:]
import pytest
from search.stand_in import HashEncoder
from konayuki.search import Index
with Index.open(sys.argv[1], HashEncoder()) as index:
    print("open", flush=True)
    for line in sys.stdin:
        texts = [hit.text for hit in index.search("文書", 10, line.strip())]
        print(len(texts), *sorted(set(texts)), sep="|", flush=True)
"""


def test_a_reader_in_another_process_follows(fresh):
    folder = fresh()
    with (
        Index.open(folder, MODEL) as index,
        subprocess.Popen(
            [sys.executable, "-c", READER, str(folder), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader,
    ):
        assert reader.stdin and reader.stdout
        assert reader.stdout.readline() == "open\n"
        for number in range(4):
            index.add(batch(number))
            reader.stdin.write(f"{MODES[number % 3]}\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"5|文書 round{number}\n"
        reader.stdin.close()


FORKED = """
import os, sys
sys.path[:0] = sys.argv[2:]
from search.stand_in import HashEncoder
from konayuki.errors import IndexLockedError
from konayuki.search import Index
with Index.open(sys.argv[1], HashEncoder()) as index:
    index.add([{"id": "1", "text": "富士山"}])
    child = os.fork()
    if child == 0:
        writes = (
            lambda: index.add([{"id": "2", "text": "琵琶湖"}]),
            lambda: index.delete(["1"]),
            lambda: index.remember_sources({"a": None}),
            index.lock,
        )
        for write in writes:
            try:
                write()
            except IndexLockedError as error:
                print(error, flush=True)
        print([hit.id for hit in index.search("富士山")], flush=True)
        index.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    index.add([{"id": "3", "text": "浜名湖"}])
    print(len(index))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_searches_and_is_told_to_open_the_index_to_write(fresh):
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(fresh()), *sys.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert sum("cannot write in the child" in line for line in lines) == 4, done.stderr
    assert lines.count("hint: call Index.open in the child") == 4
    assert lines[-2:] == ["['1']", "2"]


def test_the_lock_can_be_taken_before_the_first_write(fresh):
    folder = fresh()
    with Index.open(folder, MODEL) as other:
        with Index.open(folder, MODEL) as index:
            index.lock()
            with pytest.raises(IndexLockedError):
                other.lock()
            with pytest.raises(IndexLockedError):
                other.add(batch(1))
            assert not len(index)
        other.lock()
        assert other.add(batch(1)) == 5
