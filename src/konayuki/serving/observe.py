"""Around every request: an id, security headers, a line in the access log, the metrics."""

import json
import logging
import re
import secrets
import time
from datetime import datetime, timezone

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from konayuki.serving.guards import respond
from konayuki.serving.problems import problem_of
from konayuki.serving.prometheus import Metrics

logger = logging.getLogger(__name__)
access = logging.getLogger("konayuki.access")

ROUTE = "konayuki.route"  # where an endpoint leaves its path in the scope
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# As ASGI wants them, made once for all answers.
_RAW_HEADERS = [
    (name.lower().encode("latin-1"), value.encode("latin-1"))
    for name, value in SECURITY_HEADERS.items()
]


class Observe:
    """The outermost layer: what it sees is what the client sees."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        self._metrics.running.inc()
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as error:  # a bug is a 500, not a dead connection
            logger.exception("request %s failed", exchange.request_id)
            if not exchange.status:
                await respond(problem_of(error))(scope, receive, exchange.send)
        finally:
            self._metrics.running.dec()
            self._record(scope, exchange)

    def _record(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        # Not the path: ids in it would make a series for every document.
        route = scope.get(ROUTE, "other")
        method = scope["method"] if route != "other" else "other"
        self._metrics.requests.labels(method, route, str(exchange.status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if access.isEnabledFor(logging.INFO):
            access.info(_line(scope, exchange, seconds))


class _Exchange:
    """One request and what has been sent in answer to it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = time.perf_counter()
        self.request_id = _request_id(Headers(scope=scope))
        self.status = 0
        self.n_bytes = 0
        self._send = send

    async def send(self, message: Message) -> None:
        """Send on, with our headers at the start."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", [])
            names = {name for name, _ in given}
            message["headers"] = [
                *given,
                (b"x-request-id", self.request_id.encode()),
                *(header for header in _RAW_HEADERS if header[0] not in names),
            ]
        elif message["type"] == "http.response.body":
            self.n_bytes += len(message.get("body", b""))
        await self._send(message)


def _request_id(headers: Headers) -> str:
    """Return the id that a proxy gave the request, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _line(scope: Scope, exchange: _Exchange, seconds: float) -> str:
    """Return a line of the access log: JSON, without the query string, which people type."""
    client = scope.get("client")
    return json.dumps(
        {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "id": exchange.request_id,
            "client": client[0] if client else None,
            "method": scope["method"],
            "path": scope["path"],
            "status": exchange.status,
            "ms": round(seconds * 1000, 3),
            "bytes": exchange.n_bytes,
        },
        ensure_ascii=True,
    )
