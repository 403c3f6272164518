"""Who may ask: API keys, and the names under which a browser may reach this server."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from konayuki.serving.problems import Problem
from konayuki.serving.settings import LOOPBACK


class KeyGuard:
    """Lets requests pass that bring a key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.

    A wrong key is refused everywhere; a missing one is accepted on public paths only.
    """

    def __init__(
        self, app: ASGIApp, keys: Sequence[bytes], public: Iterable[str], public_folder: str
    ) -> None:
        self._app = app
        self._digests = [hashlib.sha256(key).digest() for key in keys]
        self._public = frozenset(public)
        self._public_folder = public_folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or self._passes(scope):
            await self._app(scope, receive, send)
            return
        problem = Problem(
            401,
            "invalid_api_key",
            "API key: expected one of this server's keys\nhint: Authorization: Bearer KEY",
            headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
        )
        await respond(problem)(scope, receive, send)

    def _passes(self, scope: Scope) -> bool:
        given = given_key(Headers(scope=scope))
        if given is None:
            path: str = scope["path"]
            return path in self._public or path.startswith(self._public_folder)
        digest = hashlib.sha256(given).digest()
        # Every key is compared, each in constant time: how long it takes tells nothing.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)


def given_key(headers: Headers) -> bytes | None:
    """Return the key that a request brings, or None."""
    authorization = headers.get("authorization")
    if authorization is None:
        key = headers.get("x-api-key")
        return None if key is None else key.encode("latin-1")
    scheme, _, key = authorization.partition(" ")
    return key.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


class HostGuard:
    """Answers under known names only.

    If no key protects a server on loopback, a web page could reach it by pointing a name of its
    own at 127.0.0.1; such a request carries that name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = LOOPBACK | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] != "http" or host_name(Headers(scope=scope)) in self._names:
            await self._app(scope, receive, send)
            return
        problem = Problem(
            421,
            "unknown_host",
            "host: expected localhost or an allowed name\nhint: konayuki serve --allowed-host NAME",
        )
        await respond(problem)(scope, receive, send)


def host_name(headers: Headers) -> str:
    """Return the host that a request names, without the port."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def respond(problem: Problem) -> Response:
    """Return the HTTP form of a problem."""
    return Response(
        problem.body(), problem.status, headers=problem.headers, media_type="application/json"
    )
