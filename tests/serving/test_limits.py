"""Requests outside the limits of the service are refused by name."""

import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.live import Live

JSON = {"Content-Type": "application/json"}
POSTS = ["/v1/embeddings", "/search", "/documents", "/similarity"]
MEGABYTE = 1024 * 1024  # what the shared server takes at most


@pytest.mark.parametrize("path", [*POSTS, "/files/a.txt"])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(shared: Live, path: str) -> None:
    method = "PUT" if path.startswith("/files") else "POST"
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=10)
    connection.putrequest(method, path)
    connection.putheader("Content-Length", str(MEGABYTE + 1))
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()  # and no body
    response = connection.getresponse()
    code = json.loads(response.read())["error"]["code"]
    connection.close()

    assert (response.status, code) == (413, "body_too_large")


def test_a_body_of_unknown_length_is_counted(shared: Live) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=10)
    connection.putrequest("POST", "/search")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()
    part = b" " * 65_536
    for _ in range(MEGABYTE // len(part) + 1):
        connection.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    response = connection.getresponse()
    connection.close()

    assert response.status == 413


def test_a_body_of_the_longest_size_is_taken(shared: Live) -> None:
    body = b'{"query": "a"}'
    assert shared.call("POST", "/search", body.ljust(MEGABYTE), headers=JSON).status == 200


TOO_MUCH: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/embeddings", {"model": "konayuki", "input": []}, "input"),
    ("/v1/embeddings", {"model": "konayuki", "input": "雪", "dimensions": 0}, "dimensions"),
    ("/search", {"query": "雪" * 2001}, "query"),
    ("/search", {"query": "雪", "k": 0}, "k"),
    ("/search", {"query": "雪", "k": 101}, "k"),
    ("/search", {"query": "雪", "mode": "magic"}, "mode"),
    ("/search", {"query": "雪", "where": {str(n): n for n in range(17)}}, "where"),
    ("/search", {"query": "雪", "where": {"a": list(range(101))}}, "where.a"),
    ("/search", {"query": "雪", "where": {"a": {"b": 1}}}, "where.a"),
    ("/search", {"query": "雪", "top_k": 3}, "top_k"),
    ("/documents", {"documents": []}, "documents"),
    ("/documents", {"documents": [{"id": "a", "text": "雪"}] * 1001}, "documents"),
    ("/documents", {"documents": [{"id": "", "text": "雪"}]}, "documents[0].id"),
    ("/documents", {"documents": [{"id": "a" * 513, "text": "雪"}]}, "documents[0].id"),
    ("/documents", {"documents": [{"id": "a"}]}, "documents[0].text"),
    ("/documents", {"documents": [{"id": "a", "text": "雪", "txet": ""}]}, "documents[0].txet"),
    ("/similarity", {"sentences": ["雪"] * 65}, "sentences"),
    ("/similarity", {"sentences": ["雪" * 2001]}, "sentences[0]"),
]


@pytest.mark.parametrize(("path", "body", "param"), TOO_MUCH)
def test_what_is_outside_the_limits_is_refused_by_its_field(
    shared: Live, path: str, body: dict[str, Any], param: str
) -> None:
    reply = shared.call("POST", path, body)

    assert reply.status == 422
    error = reply.json["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "q"),
        ("q=a&k=two", "k"),
        ("q=a&k=0", "k"),
        ("q=a&k=-1", "k"),
        ("q=a&k=99999999999999999999", "k"),
        ("q=a&q=b", "q"),
        ("q=a&where={", "where"),
        ("q=a&where=[1]", "where"),
        ("q=a&where=%7B%22a%22%3ANaN%7D", "where"),
        ("q=a&mode=all", "mode"),
        ("q=a&limit=3", "limit"),
    ],
)
def test_wrong_parameters_of_a_url_are_refused_by_name(
    shared: Live, query: str, param: str
) -> None:
    reply = shared.call("GET", f"/search?{query}")

    assert (reply.status, reply.json["error"]["param"]) == (422, param)


MALFORMED = {
    "empty": b"",
    "half": b'{"query": "a"',
    "not an object": b'"query"',
    "two values": b'{"query": "a"}{}',
    "comment": b'{"query": "a" /* */}',
    "utf-16": '{"query": "雪"}'.encode("utf-16"),
    "cp932": '{"query": "雪"}'.encode("cp932"),
    "overlong utf-8": b'{"query": "\xc0\xaf"}',
    "surrogate in utf-8": b'{"query": "\xed\xa0\x80"}',
    "lone surrogate": b'{"query": "\\ud800"}',
    "byte order mark": b'\xef\xbb\xbf{"query": "a"}',
    "deep list": b"[" * 100_000,
    "deep object": b'{"query": ' + b'{"a":' * 50_000,
    "deep filter": b'{"query": "a", "where": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "infinite number": b'{"query": "a", "where": {"a": Infinity}}',
    "huge number": b'{"query": "a", "k": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/search", "/documents"])
def test_a_malformed_body_is_the_fault_of_the_client(shared: Live, path: str, body: bytes) -> None:
    reply = shared.call("POST", path, body, headers=JSON)

    assert reply.status in {400, 422}
    assert reply.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("metadata", [b"[" * 500 + b"]" * 500, b"NaN", b'{"a": 1e999}'])
def test_metadata_that_json_cannot_hold_is_refused(shared: Live, metadata: bytes) -> None:
    body = b'{"documents": [{"id": "x", "text": "", "metadata": {"a": ' + metadata + b"}}]}"

    assert shared.call("POST", "/documents", body, headers=JSON).status in {400, 422}


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=shift_jis",
    ],
)
@pytest.mark.parametrize("path", POSTS)
def test_a_body_of_another_kind_is_refused(shared: Live, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}

    assert shared.call("POST", path, b'{"query": "a"}', headers=headers).status == 415


def test_a_compressed_body_is_refused(shared: Live) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}

    assert shared.call("POST", "/search", b"\x1f\x8b", headers=headers).code == (
        "unsupported_encoding"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/page/../engine.py",
        "/page/..%2f..%2fengine.py",
        "/page/%2e%2e/engine.py",
        "/page/....//engine.py",
        "/page//etc/passwd",
        "//etc/passwd",
        "/page/..\\engine.py",
        "/page/%00",
        "/page/",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page/__init__.py",
    ],
)
def test_no_path_leads_out_of_the_page(shared: Live, path: str) -> None:
    reply = shared.call("GET", path)

    assert reply.status == 404
    assert reply.code == "no_route"


@pytest.mark.parametrize("identity", ["../../etc/passwd", "/etc/passwd", "..\\x", "\0", "a\nb"])
def test_an_id_that_looks_like_a_path_is_an_id(live: Live, identity: str) -> None:
    live.add({"id": identity, "text": "雪"})

    reply = live.call("GET", f"/documents/{quote(identity, safe='')}")

    assert reply.json["id"] == identity


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/cron.d/x.txt", "a/../../b.txt"])
def test_a_file_name_that_looks_like_a_path_is_a_key(live: Live, name: str) -> None:
    assert live.call("PUT", f"/files/{quote(name, safe='')}", "猫".encode()).status == 200

    got = live.call("GET", f"/documents/{quote(name + '#0', safe='')}").json
    assert got["metadata"] == {"path": name, "line": 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/search"), ("PUT", "/documents"), ("POST", "/health"), ("GET", "/similarity")],
)
def test_a_wrong_method_says_which_are_right(shared: Live, method: str, path: str) -> None:
    reply = shared.call(method, path)

    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["Allow"]


def test_a_body_that_does_not_come_is_not_waited_for_forever(shared: Live) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as connection:
        head = "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 2 < time.monotonic() - started < 15  # the shared server waits three seconds


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:80"])
def test_a_server_without_a_key_answers_under_local_names_only(shared: Live, host: str) -> None:
    reply = shared.call("GET", "/info", headers={"Host": host})

    assert (reply.status, reply.code) == (421, "unknown_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"])
def test_local_names_are_known_with_and_without_port(shared: Live, host: str) -> None:
    assert shared.call("GET", "/info", headers={"Host": host}).status == 200


def test_every_answer_carries_the_security_headers(shared: Live) -> None:
    for path in ("/", "/health", "/nowhere", "/search", "/page/app.js", "/openapi.json"):
        headers = shared.call("GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=200))
def test_bytes_of_any_kind_never_break_the_server(shared: Live, path: str, body: bytes) -> None:
    assert 400 <= shared.call("POST", path, body, headers=JSON).status < 500
