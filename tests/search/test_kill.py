"""kill -9 of a writer at random moments: nothing acknowledged is lost, the index answers."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from konayuki.search import Index
from search.stand_in import HashEncoder

MODEL = HashEncoder()
KILLS = 60
WRITER = """
import json, random, sys
sys.path[:0] = sys.argv[3:]
from search.stand_in import HashEncoder
from konayuki.search import Index, derived
derived._DEAD_AT_LEAST = 15
source = random.Random(int(sys.argv[2]))
print(json.dumps("started"), flush=True)
with Index.open(sys.argv[1], HashEncoder()) as index:
    for number in range(10**6):
        keys = [f"k{source.randrange(60)}" for _ in range(source.randint(1, 20))]
        text = f"文書 {sys.argv[2]}-{number}"
        write = {"delete": keys} if source.random() < 0.3 else {"add": keys, "text": text}
        print(json.dumps({"begin": write}), flush=True)
        if "delete" in write:
            index.delete(keys)
        else:
            index.add({"id": key, "text": text} for key in keys)
        print(json.dumps({"done": write}), flush=True)
"""


def applied(state: dict[str, str], write: dict) -> dict[str, str]:
    if "delete" in write:
        return {key: text for key, text in state.items() if key not in write["delete"]}
    return state | dict.fromkeys(write["add"], write["text"])


def held(folder: Path) -> dict[str, str]:
    """What the index holds, after checking that all three ways of asking agree."""
    with Index.open(folder, MODEL) as index:
        hits = index.search("文書", 1000, "dense")
        by_words = index.search("文書", 1000, "lexical")
        assert len(hits) == len(index) == len(by_words)
        found = {hit.id: hit.text for hit in hits}
        assert found == {hit.id: hit.text for hit in by_words}
        assert all(index.get(key).text == text for key, text in found.items())
        assert len(index.search("文書 7", 10)) == min(10, len(found))
    return found


def run_and_kill(folder: Path, number: int, delay_s: float) -> list[dict]:
    """Let a writer work for a while after its first write, kill it, return what it reported."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(number), *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout
    assert json.loads(writer.stdout.readline()) == "started"
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    lines = writer.stdout.read().split("\n")
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    return [json.loads(line) for line in lines[:-1]]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(fresh):
    folder = fresh()
    source = random.Random(0)  # noqa: S311 - the same moments in every run
    state: dict[str, str] = {}
    n_cut_short = 0
    for number in range(KILLS):
        pending: dict | None = None
        for report in run_and_kill(folder, number, source.uniform(0.02, 0.5)):
            if "done" in report:
                state, pending = applied(state, report["done"]), None
            else:
                pending = report["begin"]
        found = held(folder)
        if found != state:
            assert pending is not None, f"kill {number} lost an acknowledged write"
            state = applied(state, pending)
            n_cut_short += 1
        assert found == state, f"kill {number} left half a write"
    assert n_cut_short > 0  # some writes were stored, but killed before they were acknowledged
