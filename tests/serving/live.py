"""A running `konayuki serve`, and calls to it that hide nothing."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Live:
    """A server process and the lines that it wrote to stderr."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._started = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._started.wait(60)
        if not self.url:
            process.wait(10)
            raise RuntimeError("".join(self.lines))

    @property
    def url(self) -> str:
        found = re.search(r"on (http://\S+)/$", "".join(self.lines), re.M)
        return found[1] if found else ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if " on http://" in line:
                self._started.set()
        self._started.set()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON, or bytes as they are; the path goes out as it is given."""
        sent = {**(headers or {})}
        content = body
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=content, headers=sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def connect(self, *parts: bytes) -> socket.socket:
        """Open a connection and send these bytes, as they are."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        for part in parts:
            connection.sendall(part)
        return connection

    def send(self, *parts: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back until the server closes."""
        with self.connect(*parts) as connection:
            return received(connection)

    @property
    def resident_mb(self) -> float:
        """The memory that the server holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def add(self, *documents: Mapping[str, Any]) -> None:
        reply = self.call("POST", "/documents", {"documents": list(documents)})
        assert reply.status == 200, reply.body

    def delete(self, identity: str) -> Reply:
        return self.call("DELETE", f"/documents/{quote(identity, safe='')}")

    def search(self, query: str, **more: Any) -> Any:
        reply = self.call("POST", "/search", {"query": query, **more})
        assert reply.status == 200, reply.body
        return reply.json

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@contextmanager
def serving(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    most_files: int | None = None,
    sabotage: str = "",
) -> Iterator[Live]:
    """Run a server on a free port until the end of the block, after some Python code of a test."""
    limit = [] if most_files is None else ["sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh"]
    program = command("serve", *arguments, "--port", "0")
    if sabotage:
        start = f"{sabotage}\nfrom konayuki.cli import main\nraise SystemExit(main({program[3:]}))"
        program = [sys.executable, "-c", start]
    process = subprocess.Popen(
        [*limit, *program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    live = None
    try:
        live = Live(process)
        yield live
    finally:
        if live is None:
            process.kill()
            process.wait()
        else:
            live.stop()
        assert process.stderr is not None
        process.stderr.close()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "konayuki", *arguments]


def received(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes or resets the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
