"""The service as an ASGI application: parses, limits, answers; what is done is in `api`."""

import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from konayuki.errors import KonayukiError
from konayuki.serving.agent_http import AgentEndpoint
from konayuki.serving.bulk import add_lines, has_lines
from konayuki.serving.connections import Gate
from konayuki.serving.engine import Engine
from konayuki.serving.guards import HostGuard, KeyGuard, respond
from konayuki.serving.intake import Received, check_encoding, parse, receive
from konayuki.serving.observe import ROUTE, Observe
from konayuki.serving.openapi import openapi_document
from konayuki.serving.operations import OPERATIONS, Operation
from konayuki.serving.page import FOLDER, PageFile, page_files, page_route
from konayuki.serving.problems import Problem, problem_of
from konayuki.serving.prometheus import CONTENT_TYPE, Metrics
from konayuki.serving.settings import Settings
from konayuki.serving.work import WorkPool

logger = logging.getLogger(__name__)


class KeyConvertor(Convertor[str]):
    """A path parameter that takes the rest of the path: an id may hold slashes and line ends."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return the key as it came."""
        return value

    def to_string(self, value: str) -> str:
        """Return the key as it goes into a path."""
        return value


register_url_convertor("key", KeyConvertor())


def build_app(
    engine: Engine, settings: Settings, keys: Sequence[bytes] = (), gate: Gate | None = None
) -> Starlette:
    """Return the service as an ASGI application.

    Args:
        engine: Model and index to serve.
        settings: Limits and guards.
        keys: Accepted API keys; none means that no key is asked for.
        gate: Of the connections, whose refusals are counted with the requests.

    Examples:
        >>> from konayuki.serving import Engine, Settings
        >>> app = build_app(Engine(model, index=index), Settings(read_only=True))
        >>> {"/search", "/v1/embeddings"} <= {route.path for route in app.routes}
        True
    """
    reading = WorkPool("read", settings.threads, settings.pending, settings.timeout_s)
    # One thread: writes take turns anyway, and must not take the threads of searches meanwhile.
    writing = WorkPool("write", 1, settings.pending, settings.timeout_s)
    metrics = Metrics(engine)
    if gate is not None:
        gate.count_refusal = metrics.count_refusal
    agent = AgentEndpoint(engine, settings.body_bytes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with agent.running():
            yield
        for pool in (reading, writing):
            pool.close()
        engine.close()

    routes = []
    for operation in OPERATIONS:
        pool = writing if operation.writes else reading
        endpoint = Endpoint(operation, engine, pool, settings.body_bytes)
        path = operation.path.replace("}", ":key}")
        routes.append(Route(path, endpoint, methods=[operation.method], name=operation.name))
    routes += [agent.route, _metrics_route(metrics, reading)]
    routes += [page_route(file) for file in page_files()]
    document = openapi_document(OPERATIONS, keyed=bool(keys))
    routes.append(page_route(PageFile("/openapi.json", document, "application/json")))
    return Starlette(
        routes=routes,
        middleware=list(_middleware(settings, keys, metrics)),
        exception_handlers={HTTPException: _routing_problem, KonayukiError: _problem},
        lifespan=lifespan,
    )


def _middleware(
    settings: Settings, keys: Sequence[bytes], metrics: Metrics
) -> Iterable[Middleware]:
    yield Middleware(Observe, metrics=metrics)
    if settings.cors_origins:
        yield Middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        )
    if keys:
        public = [operation.path for operation in OPERATIONS if operation.public]
        yield Middleware(KeyGuard, keys=keys, public=[*public, "/", "/docs"], public_folder=FOLDER)
    elif settings.is_local:
        yield Middleware(HostGuard, names=settings.allowed_hosts)


class Endpoint:
    """One operation as an ASGI application: receives, computes on a thread, sends."""

    def __init__(
        self, operation: Operation, engine: Engine, pool: WorkPool, most_bytes: int
    ) -> None:
        self._operation = operation
        self._engine = engine
        self._pool = pool
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive_message: Receive, send: Send) -> None:
        """Answer one request."""
        scope[ROUTE] = self._operation.path
        http_request = HttpRequest(scope, receive_message)
        if self._operation.takes_lines and has_lines(http_request):
            check_encoding(http_request.headers.get("content-encoding", ""))
            body = await add_lines(self._engine, self._pool, http_request, self._most_bytes)
        else:
            received = await receive(self._operation, http_request, self._most_bytes)
            body = await self._pool.run(answer, self._operation, self._engine, received)
        response = HttpResponse(body, media_type="application/json")
        if self._operation.tagged:
            response = tagged(response, http_request.headers.get("if-none-match", ""))
        await response(scope, receive_message, send)


def tagged(response: HttpResponse, known: str) -> HttpResponse:
    """Return a response with its ETag, or 304 if the client knows it.

    Args:
        response: The response.
        known: The header If-None-Match.
    """
    tag = f'"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    tags = [part.strip().removeprefix("W/") for part in known.split(",")]
    if tag in tags or known.strip() == "*":
        return HttpResponse(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def answer(operation: Operation, engine: Engine, received: Received) -> bytes:
    """Parse, compute and write: all that costs time, in one go on one thread."""
    return operation.call(engine, parse(operation, received)).to_json()


def _metrics_route(metrics: Metrics, pool: WorkPool) -> Route:
    async def endpoint(http_request: HttpRequest) -> HttpResponse:
        http_request.scope[ROUTE] = "/metrics"
        return HttpResponse(await pool.run(metrics.text), headers={"Content-Type": CONTENT_TYPE})

    return Route("/metrics", endpoint, methods=["GET"])


async def _problem(_: HttpRequest, error: Exception) -> HttpResponse:
    problem = problem_of(error)
    if problem.status == 500:
        logger.error("a request failed", exc_info=error)
    return respond(problem)


async def _routing_problem(_: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    code = {404: "no_route", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    problem = Problem(error.status_code, code, error.detail, headers=error.headers)
    return respond(problem)
