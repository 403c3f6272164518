"""Deadlines and limits of connections: what anybody could use up without showing a key."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_from_bytes

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from konayuki.serving.problems import Problem, busy

HEAD_BYTES = 64 * 1024  # request line and headers, or the trailer of a chunked body
URL_BYTES = 32 * 1024  # the longest query takes 18 KB when its kanji are percent-encoded
PIPELINED = 32  # requests of one connection that wait for the answer to an earlier one
TAKEN = "konayuki.taken"  # in the scope: what an endpoint calls with the bytes that it has done
_HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[^\[\]:/?#@\s\x00-\x1f]*)(:[0-9]{0,5})?")
_NON_ASCII = re.compile(rb"[\x80-\xff]+")
_URL = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.[01]\r?\n")
MALFORMED = Problem(
    400,
    "malformed_request",
    "not an HTTP/1.1 request\nhint: write other characters than ASCII in a URL as %XX; "
    "curl: --get --data-urlencode 'q=富士山'",
)


class Phase(Enum):
    """What a connection is in the middle of sending."""

    IDLE = "nothing"
    HEAD = "request line and headers"
    BODY = "body"


def _forget(code: str) -> None:
    """Count nothing."""


@dataclass
class Gate:
    """The connections of one process, as far as they keep it waiting.

    Attributes:
        connections: Number of connections; a new one beyond it takes the place of the one that
            has kept the process waiting longest.
        collect_bytes: Bytes of bodies; beyond it the largest unfinished one is refused, so that a
            few of them do not lock out everybody else.
        timeout_s: Longest time for a body to arrive, or for a client to read its answer.
        head_s: Longest time for the headers of a request to arrive.
        waiting: Connections that the process waits for, longest first.
        body_bytes: Size of the body that each connection has sent so far.
        total_bytes: The sum of these sizes.
        count_refusal: Takes the code of every problem that a connection was refused with.
    """

    connections: int
    collect_bytes: int
    timeout_s: float
    head_s: float
    waiting: dict["GuardedProtocol", None] = field(default_factory=dict)
    body_bytes: dict["GuardedProtocol", int] = field(default_factory=dict)
    total_bytes: int = 0
    count_refusal: Callable[[str], None] = _forget

    def make_room(self, newcomer: "GuardedProtocol") -> None:
        """Cut off the connection that has kept the process waiting longest, or the new one."""
        victim = next(iter(self.waiting), newcomer)
        victim.refuse(busy("too_many_connections", "too many connections: expected fewer"))

    def collect(self, protocol: "GuardedProtocol", n_bytes: int) -> None:
        """Count bytes of a body; while there are too many, refuse the largest unfinished one."""
        self.body_bytes[protocol] = self.body_bytes.get(protocol, 0) + n_bytes
        self.total_bytes += n_bytes
        while self.total_bytes > self.collect_bytes:
            unfinished = [other for other in self.body_bytes if other.phase is Phase.BODY]
            victim = max(unfinished, key=self.body_bytes.__getitem__, default=protocol)
            self.release(victim)
            victim.refuse(busy("overloaded", "too many bytes of bodies: expected fewer at a time"))

    def take(self, protocol: "GuardedProtocol", n_bytes: int) -> None:
        """Count bytes of an unfinished body no longer: what they said has been done."""
        n_bytes = min(n_bytes, self.body_bytes.get(protocol, 0))
        if n_bytes:
            self.body_bytes[protocol] -= n_bytes
            self.total_bytes -= n_bytes

    def release(self, protocol: "GuardedProtocol") -> None:
        """Stop counting the body of a connection."""
        self.total_bytes -= self.body_bytes.pop(protocol, 0)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which has neither header deadlines nor limits, with both."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        gate: Gate,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.IDLE
        self._gate = gate
        self._deadline: asyncio.TimerHandle | None = None
        self._unanswered = 0  # requests that arrived whole and whose answer is not finished
        self._answered_early = False  # as a request whose body is too long is
        self._head_bytes = 0
        self._silent_bytes = 0  # bytes that the parser has kept without telling us of any
        self._problem: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; if there are too many, cut one off."""
        super().connection_made(transport)
        if len(self.connections) > self._gate.connections:
            self._gate.make_room(self)
        self._await_client(self._gate.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._gate.release(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self.phase is Phase.IDLE:
            data = encode_url(data)
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > HEAD_BYTES:
            self.refuse(_too_large("headers", HEAD_BYTES))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope[TAKEN] = self.took  # type: ignore[literal-required] # a key of ours
        self.phase = Phase.HEAD
        self._head_bytes = 0
        self._await_client(self._gate.head_s)

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        self._silent_bytes = 0
        self._head_bytes += len(url)
        if self._head_bytes > URL_BYTES:
            self._fail(
                Problem(414, "url_too_long", f"the URL is longer than {URL_BYTES} bytes"
                        ": expected a shorter one\nhint: POST /search takes the query as a body")
            )  # fmt: skip

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a field of the trailer behind a chunked body."""
        super().on_header(name, value)
        self._silent_bytes = 0
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEAD_BYTES:
            self._fail(_too_large("headers", HEAD_BYTES))

    def on_headers_complete(self) -> None:
        """Check whom the request is for, and start to answer it."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
            self._fail(Problem(400, "invalid_host", "expected one header Host: name or name:port"))
        if len(self.pipeline) >= PIPELINED:  # uvicorn would keep any number of them in memory
            self._fail(busy("too_many_requests", "too many requests before an answer: send fewer"))
        self.phase = Phase.BODY
        self._await_client(self._gate.timeout_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._silent_bytes = 0
        super().on_body(body)
        if not self._answered_early:
            self._gate.collect(self, len(body))

    def took(self, n_bytes: int) -> None:
        """Go on waiting for a body whose beginning has been dealt with."""
        self._gate.take(self, n_bytes)
        if self.phase is Phase.BODY:
            self._await_client(self._gate.timeout_s)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self.phase = Phase.IDLE
        self._silent_bytes = 0
        if self._answered_early:
            self._answered_early = False
            self._await_client(self.timeout_keep_alive)
        else:
            self._unanswered += 1
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """End an answer."""
        super().on_response_complete()
        self._gate.release(self)
        if self._unanswered:
            self._unanswered -= 1
        else:
            self._answered_early = True
        seconds = {Phase.IDLE: self.timeout_keep_alive, Phase.HEAD: self._gate.head_s}
        self._await_client(seconds.get(self.phase, self._gate.timeout_s))

    def pause_writing(self) -> None:
        """Wait until the client reads, but not for ever."""
        super().pause_writing()
        self._start_waiting(self._gate.timeout_s)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._unanswered:
            self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser does not take, or what one of our checks refused."""
        self.refuse(self._problem or MALFORMED)

    def refuse(self, problem: Problem) -> None:
        """Answer with a problem and close; if another answer has begun, only close."""
        self._gate.count_refusal(problem.code)
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete
        if answering:
            cycle.disconnected = True
            cycle.body.clear()
            cycle.message_event.set()
        if self.transport.is_closing() or (answering and cycle.response_started):
            self.transport.abort()
            return
        self.transport.write(as_http(problem))
        self.transport.close()
        self._start_waiting(self._gate.head_s)

    def _fail(self, problem: Problem) -> None:
        """Leave a callback of the parser, which then calls `send_400_response`."""
        self._problem = problem
        raise problem

    def _await_client(self, seconds: float) -> None:
        """Start a deadline, unless it is us whom the client waits for."""
        if not self._unanswered:
            self._start_waiting(seconds)

    def _start_waiting(self, seconds: float) -> None:
        self._stop_waiting()
        self._gate.waiting[self] = None
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        self._gate.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.phase is Phase.IDLE or self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
        else:
            message = f"the {self.phase.value} did not arrive in time"
            self.refuse(Problem(408, f"slow_{self.phase.name.lower()}", message))


def encode_url(data: bytes) -> bytes:
    """Return the beginning of a request with its URL in ASCII, as RFC 3986 wants it.

    People type `curl 'localhost:8080/search?q=富士山'`, and curl sends the bytes as they are.
    """
    match = _URL.match(data)
    if match is None or match[1].isascii():
        return data
    try:
        match[1].decode("utf-8")
    except UnicodeDecodeError:  # the parser refuses it, and the hint says what to do
        return data
    url = _NON_ASCII.sub(lambda part: quote_from_bytes(part[0]).encode(), match[1])
    return data[: match.start(1)] + url + data[match.end(1) :]


def as_http(problem: Problem) -> bytes:
    """Return a problem as the bytes of an HTTP answer that closes its connection."""
    body = problem.body()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **{name: value for name, value in problem.headers.items() if name != "Connection"},
    }
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _too_large(what: str, most_bytes: int) -> Problem:
    message = f"the {what} have more than {most_bytes} bytes: expected fewer"
    return Problem(431, "headers_too_large", message)
