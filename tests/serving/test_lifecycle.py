"""Starting, stopping, several processes, and what the operator sees of it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from konayuki.cli import main
from konayuki.serving.service import warnings_of
from konayuki.serving.settings import Settings
from serving.live import ROOT, Live, command, serving
from serving.records import FUJI


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_before_the_end(
    tmp_path: Path, model_folder: Path, number: int
) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder))
    with serving(*arguments) as live, socket.create_connection(("127.0.0.1", live.port)) as late:
        body = json.dumps({"documents": [FUJI]}).encode()
        late.sendall(
            b"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert late.recv(100).startswith(b"HTTP/1.1 100")  # the server waits for the body now
        live.process.send_signal(number)
        wait_until_nobody_listens(live.port)
        late.sendall(body)
        answer = late.makefile("rb").read()
        live.stop()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b'{"stored":1,"documents":1}')


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path, model_folder: Path) -> None:
    arguments = (str(tmp_path / "i"), "--model", str(model_folder))
    with serving(*arguments, "--create") as live:
        live.add(FUJI)
        live.stop(signal.SIGKILL)
    with serving(*arguments) as live:
        assert live.search("富士山")["hits"][0]["id"] == "fuji"


BUSY = """
from konayuki.search import Index
search = Index.search
def slow_search(self, query, *args, **kwargs):
    if getattr(query, "text", query) == "slow":
        while True:
            pass
    return search(self, query, *args, **kwargs)
Index.search = slow_search
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_thread_that_never_ends_does_not_keep_the_server_alive(
    tmp_path: Path, model_folder: Path, number: int
) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder), "--timeout", "1")
    with serving(*arguments, sabotage=BUSY) as live:
        live.add(FUJI)
        assert live.call("POST", "/search", {"query": "slow"}).code == "timeout"
        began = time.monotonic()
        live.stop(number)
        assert time.monotonic() - began < 5
        shown = "".join(live.lines)
    with serving(*arguments) as live:
        assert live.search("富士山")["hits"][0]["id"] == "fuji"

    assert "slow_search" in shown  # the log says what took so long


def test_a_taken_port_is_a_message_and_exit_code_1(model_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--model", str(model_folder), "--port", port)

    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "hint: --port 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_index_is_a_message(tmp_path: Path, model_folder: Path) -> None:
    done = run("serve", str(tmp_path / "none"), "--model", str(model_folder))

    assert done.returncode == 1
    assert "none" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--workers", "0"),
        ("--threads", "0"),
        ("--pending", "-1"),
        ("--max-body-mb", "0"),
        ("--timeout", "nan"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_binding_to_the_world_without_a_key_warns() -> None:
    world = Settings(host="0.0.0.0")  # noqa: S104 - what the warning is about

    assert "no key" in warnings_of(world, ())[0]
    assert warnings_of(world, (b"key",)) == []
    assert warnings_of(Settings(), ()) == []
    assert "--cors" in warnings_of(Settings(cors_origins=("*",)), ())[0]


@pytest.mark.slow
def test_a_server_without_an_index_serves_embeddings(model_folder: Path) -> None:
    with serving("--model", str(model_folder), "--alias", "text-embedding-3-small") as live:
        body = {"model": "text-embedding-3-small", "input": "雪"}
        assert live.call("POST", "/v1/embeddings", body).status == 200
        assert live.call("POST", "/search", {"query": "雪"}).code == "no_index"
        assert live.call("GET", "/info").json["documents"] is None


@pytest.mark.slow
def test_a_read_only_server_searches_and_refuses_to_write(
    tmp_path: Path, model_folder: Path
) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder), "--read-only")
    with serving(*arguments) as live:
        assert live.search("雪")["hits"] == []
        for method, path, body in [
            ("POST", "/documents", {"documents": [FUJI]}),
            ("DELETE", "/documents/fuji", None),
            ("PUT", "/files/a.txt", b"abc"),
        ]:
            reply = live.call(method, path, body)
            assert (reply.status, reply.code) == (403, "read_only")
        assert live.call("GET", "/info").json["writable"] is False


def test_other_origins_may_call_only_where_asked_for(tmp_path: Path, model_folder: Path) -> None:
    origin = {"Origin": "https://notes.example"}
    arguments = ("--model", str(model_folder), "--cors", "https://notes.example")
    with serving(*arguments) as live:
        asked = {**origin, "Access-Control-Request-Method": "POST"}
        allowed = live.call("OPTIONS", "/similarity", headers=asked).headers
        refused = live.call("GET", "/info", headers={"Origin": "https://evil.example"}).headers

    assert allowed["Access-Control-Allow-Origin"] == "https://notes.example"
    assert "Access-Control-Allow-Origin" not in refused


def test_the_access_log_has_a_line_of_json_for_each_request(shared: Live) -> None:
    shared.call("GET", "/search?q=himitsu", headers={"X-Request-ID": "abc-123"})
    time.sleep(0.2)

    lines = [json.loads(line) for line in shared.lines if line.startswith("{")]
    [line] = [line for line in lines if line["id"] == "abc-123"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/search", 200)
    assert line["client"] == "127.0.0.1"
    assert line["ms"] > 0
    assert "himitsu" not in "".join(shared.lines)  # what people ask is theirs


def test_a_request_id_that_could_forge_log_lines_is_replaced(shared: Live) -> None:
    given = shared.call("GET", "/health", headers={"X-Request-ID": 'a"} {"status": 200'})

    assert re.fullmatch(r"[0-9a-f]{16}", given.headers["X-Request-ID"])


def samples(live: Live, name: str) -> dict[tuple[str, ...], float]:
    text = live.call("GET", "/metrics").body.decode()
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_metrics_count_requests_by_route_and_status(shared: Live) -> None:
    before = samples(shared, "konayuki_requests_total")
    shared.call("GET", "/documents/fuji")
    shared.call("GET", "/documents/nobody")
    shared.call("GET", "/nowhere/at/all")
    after = samples(shared, "konayuki_requests_total")

    def grown(*labels: str) -> float:
        return after.get(labels, 0) - before.get(labels, 0)

    assert grown("GET", "/documents/{id}", "200") == 1
    assert grown("GET", "/documents/{id}", "404") == 1
    assert grown("other", "other", "404") == 1
    assert samples(shared, "konayuki_documents")[()] >= 3
    assert samples(shared, "process_resident_memory_bytes")[()] > 1e6


def test_metrics_count_what_is_refused_before_a_route(shared: Live) -> None:
    before = samples(shared, "konayuki_refused_total")
    long_url = b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for request in (b"nonsense\r\n\r\n", long_url, long_url):
        assert shared.send(request).startswith(b"HTTP/1.1 4")
    after = samples(shared, "konayuki_refused_total")

    grown = {code: count - before.get(code, 0) for code, count in after.items()}
    grown = {code: count for code, count in grown.items() if count}  # other tests share the server
    assert grown == {("malformed_request",): 1, ("url_too_long",): 2}


@pytest.mark.slow
def test_workers_share_the_index_the_counters_and_the_end(
    tmp_path: Path, model_folder: Path
) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder), "--workers", "2")
    with serving(*arguments) as live:
        threads = [
            threading.Thread(target=live.add, args=({"id": str(n), "text": "雪"},))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(8):  # whichever process answers
            assert live.call("GET", "/info").json["documents"] == 8
        counted = samples(live, "konayuki_requests_total")
        for _ in range(8):
            live.send(b"nonsense\r\n\r\n")
        refused = samples(live, "konayuki_refused_total")
        code = live.stop()

    assert counted["POST", "/documents", "200"] == 8
    assert counted["GET", "/info", "200"] == 8
    assert refused["malformed_request",] == 8
    assert code == 0


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_server(tmp_path: Path, model_folder: Path) -> None:
    index = tmp_path / "i"
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-sixteen-characters\n")
    arguments = ("--model", str(model_folder), "--workers", "2", "--api-key-file", str(keys))
    # The parent reads the keys before its workers do.
    sabotage = (
        "import konayuki.serving.service as run, os\n"
        "supervise = run.Supervisor.run\n"
        f"run.Supervisor.run = lambda self: (os.remove({str(keys)!r}), supervise(self))"
    )
    with serving(str(index), "--create", *arguments, sabotage=sabotage) as live:
        assert live.process.wait(60) == 1
        shown = "".join(live.lines)

    assert f"{keys} cannot be read" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(tmp_path: Path, model_folder: Path) -> None:
    arguments = ("--model", str(model_folder), "--workers", "2")
    with serving(*arguments) as live:
        live.call("GET", "/health")  # the workers run
        found = subprocess.run(
            ["pgrep", "-P", str(live.process.pid)],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        victims = [int(line) for line in found.stdout.split()]
        os.kill(victims[-1], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not (warned := "started another" in "".join(live.lines)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        statuses = {live.call("GET", "/health").status for _ in range(10)}

    assert statuses == {200}
    assert warned


def wait_until_nobody_listens(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the server still takes connections")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments),
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_answer_does_not_wait_for_an_acknowledgement(shared: Live) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=10)
    body = json.dumps({"model": "konayuki", "input": ["雪"] * 20})
    took = []
    for _ in range(12):
        started = time.perf_counter()
        connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        took.append(time.perf_counter() - started)
    connection.close()

    assert min(took) < 0.03  # Nagle's algorithm would make it 40 ms every time
