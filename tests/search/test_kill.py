"""kill -9 of a writer at random moments: nothing acknowledged is lost, the index answers."""

import json
import os
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
unix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
# The full size is 1000, which takes 13 minutes on two cores.
ROUNDS = int(os.environ.get("KONAYUKI_KILLS", "200")) // 100
KILLS = 60  # of writers a round
CREATIONS = 40  # killed a round
WRITER = """
import json, random, sys
sys.path[:0] = sys.argv[3:]
from search.stand_in import HashEncoder
from konayuki.search import Index, Source, derived
derived._DEAD_AT_LEAST = 15
source = random.Random(int(sys.argv[2]))
print(json.dumps("started"), flush=True)
with Index.open(sys.argv[1], HashEncoder()) as index:
    for number in range(10**6):
        keys = [f"k{source.randrange(60)}" for _ in range(source.randint(1, 20))]
        text = f"文書 {sys.argv[2]}-{number}"
        kind = source.choice(["add", "add", "delete", "replace", "replace", "bulk"])
        path = f"p{source.randrange(5)}"
        write = {"kind": kind, "keys": keys, "text": text, "path": path}
        print(json.dumps({"begin": write}), flush=True)
        if kind == "delete":
            index.delete(keys)
        elif kind == "add":
            index.add({"id": key, "text": text} for key in keys)
        elif kind == "replace":  # as for a file: its passages, and that it was read
            index.replace(
                [{"id": f"{path}-{key}", "text": text, "metadata": {"path": path}} for key in keys],
                where={"path": path},
                sources={path: Source(text)},
            )
        else:  # two writes, of which the first may be kept alone
            with index.bulk():
                index.delete(keys[:1])
                deletion = {**write, "kind": "delete", "keys": keys[:1]}
                print(json.dumps({"done": deletion}), flush=True)
                write = {**write, "kind": "add"}
                print(json.dumps({"begin": write}), flush=True)
                index.add({"id": key, "text": text} for key in keys)
        print(json.dumps({"done": write}), flush=True)
"""


def applied(state: dict[str, str], write: dict) -> dict[str, str]:
    keys, kind = write["keys"], write["kind"]
    if kind == "delete":
        return {key: text for key, text in state.items() if key not in keys}
    if kind == "replace":
        path = write["path"]
        others = {key: text for key, text in state.items() if not key.startswith(f"{path}-")}
        return others | dict.fromkeys((f"{path}-{key}" for key in keys), write["text"])
    return state | dict.fromkeys(keys, write["text"])


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
        by_path = {key.partition("-")[0]: text for key, text in found.items() if key[0] == "p"}
        assert {path: source.digest for path, source in index.sources().items()} == by_path
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


def kill_again_and_again(folder: Path, kills: range, seed: int) -> int:
    """Return how many writes were stored, but killed before they were acknowledged."""
    source = random.Random(seed)  # noqa: S311 - the same moments in every run
    state: dict[str, str] = {}
    n_cut_short = 0
    for number in kills:
        pending: dict | None = None
        for report in run_and_kill(folder, number, source.uniform(0.02, 0.5)):
            if "done" in report:
                state, pending = applied(state, report["done"]), None
            else:
                pending = report["begin"]
        found = held(folder)
        if found != state:
            assert pending is not None, f"kill {number} lost an acknowledged write"
            kind = "delete" if pending["kind"] == "bulk" else pending["kind"]
            keys = pending["keys"][:1] if pending["kind"] == "bulk" else pending["keys"]
            state = applied(state, {**pending, "kind": kind, "keys": keys})
            n_cut_short += 1
        assert found == state, f"kill {number} left half a write"
    return n_cut_short


@unix_only
def test_a_killed_writer_loses_nothing(fresh):
    kill_again_and_again(fresh(), range(3), seed=99)


@pytest.mark.slow
@unix_only
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(fresh, seed: int):
    kills = range(seed * KILLS, (seed + 1) * KILLS)
    assert kill_again_and_again(fresh(), kills, seed) > 0


CREATOR = """
import sys
sys.path[:0] = sys.argv[3:]
import konayuki.search.index
from konayuki.search import Index
from search.stand_in import HashEncoder
model = HashEncoder()
print("ready", flush=True)
sys.stdin.readline()
with Index.create(sys.argv[1], model) as index:
    index.add([{"id": "1", "text": "富士山"}])
    print("stored", flush=True)
    sys.stdin.readline()
"""


def create_and_kill(folder: Path, delay_s: float) -> bool:
    """Return whether the killed process had acknowledged its first document."""
    command = [sys.executable, "-c", CREATOR, str(folder), "", *sys.path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as creator:
        assert creator.stdin and creator.stdout
        assert creator.stdout.readline() == "ready\n"
        creator.stdin.write("go\n")
        creator.stdin.flush()
        time.sleep(delay_s)
        creator.send_signal(signal.SIGKILL)
        return "stored" in creator.stdout.read()


def create_again(folder: Path) -> int:
    """Do what `konayuki index` does with a folder that may or may not be an index by now."""
    is_index = (folder / "documents.db").exists()
    with Index.open(folder, MODEL) if is_index else Index.create(folder, MODEL) as index:
        n_before = len(index)
        index.add([{"id": "2", "text": "琵琶湖"}])
        assert len(index.search("琵琶湖と富士山", 5)) == n_before + 1
    return n_before


@unix_only
@pytest.mark.parametrize(
    "n_kills",
    [3, *(pytest.param(CREATIONS, marks=pytest.mark.slow, id=str(n)) for n in range(ROUNDS))],
)
def test_a_creation_that_is_killed_can_be_done_again(tmp_path: Path, n_kills: int):
    source = random.Random(n_kills)  # noqa: S311 - the machine's own timing varies enough
    for number in range(n_kills):
        folder = tmp_path / f"i{number}"
        stored = create_and_kill(folder, source.uniform(0, 0.12))
        assert create_again(folder) >= stored
