"""Documents as JSON lines, sent by a client that streams them."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.live import Live, received, serving

LINES = {"Content-Type": "application/x-ndjson"}


def lines_of(n_records: int, text: str = "雪", start: int = 0) -> bytes:
    records = ({"id": f"n{n}", "text": f"{text} {n}"} for n in range(start, start + n_records))
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def empty(tmp_path: Path, model_folder: Path) -> Iterator[Live]:
    limits = ("--max-body-mb", "0.1", "--timeout", "3")
    with serving(str(tmp_path / "i"), "--create", "--model", str(model_folder), *limits) as live:
        yield live


def send_slowly(live: Live, parts: list[bytes], pause_s: float, *, end: bool = True) -> bytes:
    """Send a chunked body part by part and return the answer."""
    head = (
        b"POST /documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with live.connect(head) as connection:
        for part in parts:
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            time.sleep(pause_s)
        if end:
            connection.sendall(b"0\r\n\r\n")
        return received(connection)


def test_a_body_longer_than_the_limit_is_stored_line_by_line(empty: Live) -> None:
    body = lines_of(2500, "雪が降る日に猫と電車に乗って旅行に行く。")
    assert len(body) > 2 * 0.1 * 2**20

    reply = empty.call("POST", "/documents", body, headers=LINES)

    assert reply.json == {"stored": 2500, "documents": 2500}
    assert empty.call("GET", "/documents/n2499").json["text"].endswith(" 2499")


@pytest.mark.slow
def test_what_an_upload_sent_is_counted_only_until_it_is_stored(
    tmp_path: Path, model_folder: Path
) -> None:
    # A process holds 64 MB of bodies at a time at most; this upload has 90.
    with serving(str(tmp_path / "i"), "--create", "--model", str(model_folder)) as live:
        body = [b'{"id": "one", "text": "x"' + b" " * 6_000_000 + b"}\n"] * 15
        before = live.resident_mb
        answer = send_slowly(live, body, 0.0)

        assert b'"stored":15,"documents":1' in answer
        assert live.resident_mb < before + 150


@pytest.mark.slow
def test_an_upload_may_take_longer_than_the_timeout_as_long_as_it_moves(empty: Live) -> None:
    parts = [lines_of(1000, start=1000 * n) for n in range(4)]

    answer = send_slowly(empty, parts, 1.2)  # the timeout is 3 seconds

    assert b'"stored":4000' in answer


@pytest.mark.slow
def test_an_upload_that_stands_still_is_ended_and_its_batches_stay(empty: Live) -> None:
    answer = send_slowly(empty, [lines_of(1000), b'{"id": "never'], 0, end=False)

    assert b" 408 " in answer.split(b"\r\n")[0]
    assert empty.call("GET", "/info").json["documents"] == 1000


def test_a_bad_line_is_named_and_its_batch_is_left_out(empty: Live) -> None:
    body = lines_of(1000) + b'\n{"id": "a", "text": "x"}\n{"id": "b", "text": 5}\n'

    reply = empty.call("POST", "/documents", body, headers=LINES)

    assert reply.status == 422
    error = reply.json["error"]
    assert error["param"] == "text"
    assert re.match(r"line 1003, field text: .*\n1000 records", error["message"], re.S)
    assert empty.call("GET", "/documents/n999").status == 200
    assert empty.call("GET", "/documents/a").status == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 200, ""),
        (b"\n\n", 200, ""),
        (b"[1]", 422, "line 1"),
        (b'\n{"id": "a"', 422, "line 2"),
        (b'{"id": "a", "text": "b", "more": 1}', 422, "field more"),
        (b'{"id": "a", "text": "' + b"x" * 200_000 + b'"}', 413, "a line has more than"),
    ],
)
def test_odd_bodies(empty: Live, body: bytes, status: int, message: str) -> None:
    reply = empty.call("POST", "/documents", body, headers=LINES)

    assert reply.status == status
    assert message in (reply.json["error"]["message"] if status != 200 else "")


def test_only_an_upload_takes_lines(empty: Live) -> None:
    assert empty.call("POST", "/search", lines_of(1), headers=LINES).status == 415
    packed = {**LINES, "Content-Encoding": "gzip"}
    assert empty.call("POST", "/documents", lines_of(1), headers=packed).status == 415


def test_a_read_only_server_takes_none(tmp_path: Path, model_folder: Path) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder))
    with serving(*arguments):
        pass
    with serving(*arguments, "--read-only") as live:
        for body in (b"", lines_of(1)):
            assert live.call("POST", "/documents", body, headers=LINES).status == 403
