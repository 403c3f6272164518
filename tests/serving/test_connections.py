"""Raw sockets against a server: half-open, endless, pipelined and malformed requests."""

import contextlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from konayuki.serving.connections import HEAD_BYTES, encode_url
from serving.live import Live, received, serving
from serving.records import FUJI

HOST = b"Host: localhost\r\n"
HALF_OPEN = {
    "nothing": b"",
    "line ends": b"\r\n",
    "request line": b"GET /info HTTP/1.1\r\nHost: 127",
    "body": b"POST /search HTTP/1.1\r\n" + HOST
    + b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    "body of a route without one": b"GET /info HTTP/1.1\r\n" + HOST + b"Content-Length: 99\r\n\r\n",
}  # fmt: skip
GET = b"GET /health HTTP/1.1\r\n" + HOST
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc as on Linux")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    """A server that waits a second, and may open 256 files."""
    index = str(tmp_path_factory.mktemp("hasty") / "i")
    arguments = (index, "--create", "--model", str(model_folder), "--timeout", "1")
    with serving(*arguments, "--max-body-mb", "2", most_files=256) as live:
        live.add(FUJI)
        yield live


@on_linux
@pytest.mark.parametrize("start", HALF_OPEN.values(), ids=HALF_OPEN.keys())
def test_300_half_open_requests_lock_nobody_out(hasty: Live, start: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(hasty.connect())
            with contextlib.suppress(ConnectionError):
                connection.sendall(start)
        began = time.monotonic()
        for _ in range(3):
            assert hasty.search("富士山")["hits"][0]["id"] == "fuji"

    assert time.monotonic() - began < 3


@pytest.mark.parametrize("start", HALF_OPEN.values(), ids=HALF_OPEN.keys())
def test_a_request_that_does_not_come_whole_is_given_up(hasty: Live, start: bytes) -> None:
    began = time.monotonic()
    answer = hasty.send(start)

    assert time.monotonic() - began < 6
    if start.startswith(b"POST"):
        assert answer.startswith(b"HTTP/1.1 408 ")
    assert hasty.call("GET", "/health").status == 200


def test_bytes_now_and_then_do_not_extend_the_deadline(hasty: Live) -> None:
    began = time.monotonic()
    with hasty.connect(b"GET / HTTP/1.1\r\nX: ") as connection, contextlib.suppress(OSError):
        while time.monotonic() - began < 10:
            connection.sendall(b"x")
            time.sleep(0.1)
        pytest.fail("the server still listens")

    assert time.monotonic() - began < 5


def test_a_kept_connection_is_closed_after_a_while(hasty: Live) -> None:
    began = time.monotonic()
    answer = hasty.send(GET + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < 10


ENDLESS = {
    "header value": (b"GET / HTTP/1.1\r\nX: ", b"x" * 65_536, 431),
    "header name": (b"GET / HTTP/1.1\r\n", b"x" * 65_536, 431),
    "headers": (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 10_000, 431),
    "URL": (b"GET /", b"x" * 65_536, 414),
    "trailer": (
        b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: ",
        b"x" * 65_536,
        431,
    ),
    "chunk extension": (
        b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 65_536,
        431,
    ),
}


@on_linux
@pytest.mark.parametrize(("start", "part", "status"), ENDLESS.values(), ids=ENDLESS.keys())
def test_300_megabytes_of_header_are_cut_at_64_kilobytes(
    shared: Live, start: bytes, part: bytes, status: int
) -> None:
    shared.call("GET", "/health")
    before = shared.resident_mb
    n_sent = 0
    with shared.connect(start) as connection:
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            while n_sent < 300e6:
                connection.sendall(part)
                n_sent += len(part)
        answer = received(connection)

    assert n_sent < 20e6  # what the buffers of both sockets took
    assert not answer or answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert shared.resident_mb < before + 10


@pytest.mark.parametrize("size", [HEAD_BYTES - 1000, HEAD_BYTES + 1])
def test_headers_up_to_64_kilobytes_are_taken(shared: Live, size: int) -> None:
    answer = shared.send(GET + b"Connection: close\r\nX: " + b"x" * size + b"\r\n\r\n")

    if size < HEAD_BYTES:
        assert answer.startswith(b"HTTP/1.1 200 ")
    else:
        assert b" 431 " in answer[:20] or not answer


@on_linux
def test_unfinished_bodies_give_way_to_others_and_take_bounded_memory(shared: Live) -> None:
    start = (
        b"POST /search HTTP/1.1\r\n" + HOST
        + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    )  # fmt: skip
    before = shared.resident_mb
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(shared.connect(start))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"{" + b" " * 950_000)
        assert shared.search("富士山")["hits"][0]["id"] == "fuji"
        assert shared.resident_mb < before + 180  # 64 MB of bodies, 300 buffers

    assert shared.search("富士山")["hits"][0]["id"] == "fuji"


def test_a_client_that_does_not_read_its_answer_is_cut_off(hasty: Live) -> None:
    hasty.add({"id": "long", "text": "雪" * 300_000})
    body = json.dumps({"query": "雪"}).encode()
    request = (
        b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", hasty.port))
        connection.settimeout(20)
        for _ in range(20):  # more than the buffers of both sockets take
            connection.sendall(request)
        time.sleep(4)
        answer = received(connection)
    hasty.delete("long")

    assert answer.count(b"HTTP/1.1 200 OK") < 20


def test_pipelined_requests_are_answered_in_order(shared: Live) -> None:
    paths = [b"/health", b"/info", b"/ready"]
    requests = [b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST) for path in paths]
    last = b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    answer = shared.send(b"".join([*requests, last]))

    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.index(b'"ok"') < answer.index(b'"version"') < answer.index(b'"ready"')


@on_linux
def test_requests_without_end_on_one_connection_take_bounded_memory(shared: Live) -> None:
    requests = b"GET /search?q=a HTTP/1.1\r\n" + HOST + b"\r\n"
    before = shared.resident_mb
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(shared.connect())
            connection.settimeout(1)
            with contextlib.suppress(OSError):  # cut off, or nobody reads it
                for _ in range(2000):
                    connection.sendall(requests * 50)
        assert shared.resident_mb < before + 60
    assert shared.search("富士山")["hits"][0]["id"] == "fuji"


@pytest.mark.parametrize(
    "hosts",
    [
        b"Host: localhost\r\nHost: localhost\r\n",
        b"Host: localhost\r\nHost: evil.example\r\n",
        b"Host: [::1]evil\r\n",
        b"Host: [::1\r\n",
        b"Host: localhost:80:80\r\n",
        b"Host: localhost/evil\r\n",
        b"Host: user@localhost\r\n",
        b"Host: local host\r\n",
    ],
)
def test_a_host_that_cannot_be_meant_is_refused(shared: Live, hosts: bytes) -> None:
    answer = shared.send(b"GET /health HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"invalid_host"' in answer


def test_kanji_in_a_url_are_taken_as_they_are(shared: Live) -> None:
    answer = shared.send(
        "GET /search?q=富士山&k=1 HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n\r\n"
    )

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["query"] == "富士山"


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
def test_a_url_in_another_encoding_is_refused_with_the_cure(shared: Live, encoding: str) -> None:
    answer = shared.send("GET /search?q=富士山 HTTP/1.1\r\n".encode(encoding) + HOST + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == "malformed_request"
    assert "--data-urlencode" in error["message"]


def test_only_the_url_is_encoded() -> None:
    data = "GET /検索?q=雪 HTTP/1.1\r\nX: 雪\r\n\r\n".encode()

    path, query = quote("検索"), quote("雪")
    assert encode_url(data) == f"GET /{path}?q={query} HTTP/1.1\r\nX: 雪\r\n\r\n".encode()
    assert encode_url(b"GET /a HTTP/1.1\r\n\r\n") == b"GET /a HTTP/1.1\r\n\r\n"
