"""One bad document or question must not stop the rest."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from konayuki.errors import (
    IndexFormatError,
    IndexLockedError,
    InputError,
    NotFoundError,
    ReadOnlyError,
    WriteError,
)
from konayuki.search import Index, highlight, limits, snippet
from konayuki.search.failures import failure
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = HashEncoder()


@pytest.fixture
def index(fresh):
    with Index.open(fresh(), MODEL) as index:
        yield index


def nested(depth: int) -> dict:
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return {"m": value}


def endless() -> dict:
    loop: dict = {}
    loop["self"] = loop
    return loop


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("id", "a" * (limits.MAX_ID_BYTES + 1), "'id' has 8,193 bytes: expected at most 8,192"),
        ("id", "富" * 3000, "'id' has 9,000 bytes"),
        ("chunk_of", "a" * 10_000, "'chunk_of' has 10,000 bytes"),
        ("title", "a" * 70_000, "'title' has 70,000 characters"),
        ("heading", "a" * 70_000, "'heading' has 70,000 characters"),
        ("text", "a" * (limits.MAX_TEXT_CHARACTERS + 1), "'text' has 32,000,001 characters"),
        ("text", "\ufdfa" * 2000, "more than 36,000 in NFKC"),
        ("metadata", nested(limits.MAX_METADATA_DEPTH + 1), "nested more than 100 deep"),
        ("metadata", nested(100_000), "nested more than 100 deep"),
        ("metadata", endless(), "nested more than 100 deep"),
        ("metadata", {"a": "b" * 4_000_000}, "has 4,000,008 characters as JSON"),
        ("metadata", {"a": 10**5000}, "cannot be written as JSON"),
        ("position", 10**5000, "'position' is a int too large to show"),
    ],
    ids=map(str, range(13)),
)
def test_a_field_beyond_its_limit_is_named(index: Index, field: str, value: object, message: str):
    record = {"id": "x", "text": "文"} | {field: value}
    with pytest.raises(InputError, match=message) as caught:
        index.add([record])
    assert len(str(caught.value)) < 1000
    assert len(index) == 0


def test_what_is_within_the_limits_is_stored_and_given_back(index: Index):
    record = {
        "id": "i" * limits.MAX_ID_BYTES,
        "title": "題" * limits.MAX_TITLE_CHARACTERS,
        "text": "\ufdfa" * 600 + "㍿㌔" * 5000,
        "metadata": nested(limits.MAX_METADATA_DEPTH),
    }
    index.add([record])
    hit = index.search("題", 1)[0]
    assert (hit.id, hit.text, hit.metadata) == (record["id"], record["text"], record["metadata"])


@pytest.mark.parametrize("depth", [150, 960, 100_000])
def test_depth_that_was_stored_before_there_was_a_limit_stops_no_search(fresh, depth: int):
    folder = fresh()
    with Index.open(folder, MODEL) as index:
        index.add([{"id": "deep", "text": "富士山"}, {"id": "flat", "text": "富士の山"}])
    connection = sqlite3.connect(folder / "documents.db")
    text = f'{{"m":{"[" * depth}{"]" * depth}}}'
    connection.execute("UPDATE documents SET metadata = ? WHERE id = 'deep'", (text,))
    connection.commit()
    connection.close()
    with Index.open(folder, MODEL) as index:
        hits = index.search("富士山", 5)
        assert {hit.id for hit in hits} == {"deep", "flat"}
        for hit in hits:
            assert len(json.dumps(hit.metadata)) < 1000
        assert index.get("deep").text == "富士山"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"k": 10**5000}, "expected a smaller number"),
        ({"k": list(range(100_001))}, "expected at most 100,000"),
        ({"k": "a" * 300 + "\ud800"}, "lone surrogate"),
    ],
    ids=["large", "many", "surrogate"],
)
def test_a_filter_beyond_the_limits_is_named(index: Index, where: dict, message: str):
    with pytest.raises(InputError, match=message) as caught:
        index.search("山", where=where)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_many_keys_and_many_values_are_an_ordinary_filter(index: Index, mode: str):
    many = {f"k{n}": n for n in range(1500)}
    index.add([{"id": "a", "text": "山", "metadata": many}, {"id": "b", "text": "山"}])
    assert [hit.id for hit in index.search("山", 5, mode, many)] == ["a"]
    values = list(range(50_000))
    assert [hit.id for hit in index.search("山", 5, mode, {"k7": values})] == ["a"]
    assert index.ids({"k7": values}) == ["a"]


def test_a_question_beyond_the_limit_is_refused(index: Index):
    with pytest.raises(InputError, match="query has 100,001 characters"):
        index.search("あ" * 100_001)


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (sqlite3.OperationalError("database or disk is full"), WriteError, "make room"),
        (OSError(28, "No space left on device"), WriteError, "make room"),
        (ValueError("IoError: No space left on device (os error 28)"), WriteError, "make room"),
        (sqlite3.OperationalError("attempt to write a readonly database"), ReadOnlyError, "read_"),
        (OSError(30, "Read-only file system"), ReadOnlyError, "read_only"),
        (sqlite3.OperationalError("database is locked"), IndexLockedError, "close the other"),
        (ValueError("Failed to acquire Lockfile: LockBusy."), IndexLockedError, "close the other"),
        (sqlite3.OperationalError("unable to open database file"), NotFoundError, ""),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), InputError, "opens it"),
        (sqlite3.DatabaseError("database disk image is malformed"), IndexFormatError, "backup"),
    ],
)
def test_an_error_names_its_real_cause(error: Exception, kind: type, hint: str):
    ours = failure(Path("i/documents.db"), error)
    assert type(ours) is kind
    assert "i/documents.db" in str(ours) and hint in str(ours)
    assert ("backup" in str(ours)) == (hint == "backup")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_loses_nothing_and_says_so(fresh, monkeypatch: pytest.MonkeyPatch):
    """The vectors meet it first; the documents are stored, and found when there is room again."""
    import konayuki.search.append_only as append_only

    folder = fresh()
    opened = append_only.open_regular

    def full(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
        if flags & os.O_RDWR:
            raise OSError(28, "No space left on device", str(path))
        return opened(path, flags, mode)

    with Index.open(folder, MODEL) as index:
        index.add(records(5))
        with monkeypatch.context() as patch:
            patch.setattr(append_only, "open_regular", full)
            with pytest.raises(WriteError, match="make room"):
                index.add([{"id": "late", "text": "遅れて届いた文書"}])
        index.add([{"id": "later", "text": "もっと遅れて届いた文書"}])
        for mode in ("dense", "lexical"):
            found = {hit.id for hit in index.search("遅れて届いた文書", 2, mode)}
            assert found == {"late", "later"}
        assert len(index) == 7


def linear(call, sizes: tuple[int, ...] = (50_000, 100_000, 200_000)) -> bool:
    """Return whether four times the size takes at most about eight times the time, once of thrice.

    What grows faster does so each time; a busy machine does not.
    """
    for _ in range(3):
        times = []
        for size in sizes:
            started = time.process_time()
            call(size)
            times.append(time.process_time() - started)
        if times[-1] < 0.1 + 8 * times[0]:
            return True
    return False


@pytest.mark.parametrize(
    "unit", ["雪。", "雪", "富士山の高さ。", "」", "a ", "ﾌﾞ", "雪\n", "雪\u200b", "\u0301\u0316"]
)
def test_snippets_take_time_linear_in_the_text(unit: str):
    query = "雪 富士山の高さ a ブ"
    assert linear(lambda size: snippet(unit * (size // len(unit)), query, 160))
    assert linear(lambda size: highlight(unit * (size // len(unit)), query))


def test_a_long_question_does_not_slow_snippets_down():
    query = "".join(chr(0x4E00 + n) for n in range(20_000)) + " ".join(f"w{n}" for n in range(5000))
    started = time.perf_counter()
    for _ in range(20):
        snippet("一丁七。w1 w2 " * 700, query)
    assert time.perf_counter() - started < 5


FORK = """
import os, sys, time
sys.path[:0] = sys.argv[2:]
from search.stand_in import HashEncoder
from konayuki.search import Index
index = Index.open(sys.argv[1], HashEncoder())
index.add([{"id": "1", "text": "富士山"}])
if os.fork() == 0:
    index.close()
    print("child", os.getpid(), flush=True)
    time.sleep(30)
    os._exit(0)
if sys.stdin.readline() == "close\\n":
    index.close()
    print("closed", flush=True)
    sys.stdin.readline()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("order", ["close\n", "die\n"])
def test_a_forked_child_does_not_keep_the_lock(fresh, order: str):
    folder = fresh()
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(folder), *sys.path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as parent:
        assert parent.stdin and parent.stdout
        child = int(parent.stdout.readline().split()[1])
        try:
            parent.stdin.write(order)
            parent.stdin.flush()
            if order == "close\n":
                assert parent.stdout.readline() == "closed\n"
            else:
                parent.wait()
            with Index.open(folder, MODEL) as index:
                index.add([{"id": "2", "text": "琵琶湖"}])
                assert len(index) == 2
            parent.stdin.close()
        finally:
            os.kill(child, 9)


def test_what_is_deleted_leaves_the_files_at_the_latest_on_close(fresh):
    folder = fresh()
    plan = "秘密の計画書"
    with Index.open(folder, MODEL) as index:
        index.add([{"id": "s", "text": plan, "title": plan, "metadata": {"k": plan}}])
        index.add(records(50))
        index.delete(["s"])
    for path in (*folder.glob("documents.db*"), folder / "index.json"):
        assert plan.encode() not in path.read_bytes(), path
    with Index.open(folder, MODEL) as index:
        assert len(index) == 50
        assert len(index.search("秘密の計画書", 100, "dense")) == 50


def test_a_file_that_held_many_gives_its_room_back(fresh):
    folder = fresh()
    with Index.open(folder, MODEL) as index:
        index.add({"id": str(n), "text": "長い文。" * 200} for n in range(1500))
        full = (folder / "documents.db").stat().st_size
        index.delete([str(n) for n in range(1500)])
    assert (folder / "documents.db").stat().st_size < full / 4


def test_a_search_goes_on_when_the_dead_are_overwritten(fresh):
    """A reader's state may be older than the last close of a writer."""
    folder = fresh()
    with Index.open(folder, MODEL) as reader:
        with Index.open(folder, MODEL) as writer:
            writer.add([{"id": "a", "text": "富士山の高さ"}, {"id": "b", "text": "富士山の東"}])
            assert {hit.id for hit in reader.search("富士山")} == {"a", "b"}
            writer.delete(["a"])
        assert [hit.id for hit in reader.search("富士山")] == ["b"]
