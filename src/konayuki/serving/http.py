"""The service on the wire: parses, limits, binds; what is done is in `api`."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from konayuki.errors import KonayukiError
from konayuki.serving.engine import Engine
from konayuki.serving.guards import HostGuard, KeyGuard, respond
from konayuki.serving.intake import Parse, receive
from konayuki.serving.metrics import CONTENT_TYPE, Metrics
from konayuki.serving.observe import ROUTE, Observe
from konayuki.serving.openapi import openapi_document
from konayuki.serving.operations import OPERATIONS, Operation
from konayuki.serving.page import FOLDER, page_files, page_route
from konayuki.serving.problems import Problem, problem_of
from konayuki.serving.settings import Settings
from konayuki.serving.work import WorkPool

logger = logging.getLogger(__name__)


class KeyConvertor(Convertor[str]):
    """A path parameter that takes all that is left: an id may hold slashes and line ends."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return the key as it came."""
        return value

    def to_string(self, value: str) -> str:
        """Return the key as it goes into a path."""
        return value


register_url_convertor("key", KeyConvertor())


def build_app(engine: Engine, settings: Settings, keys: Sequence[bytes] = ()) -> Starlette:
    """Return the service as an ASGI application.

    Args:
        engine: what answers.
        settings: limits and guards.
        keys: accepted API keys; none means that no key is asked for.
    """
    reading = WorkPool("read", settings.threads, settings.pending, settings.timeout_s)
    # One thread: writes take turns anyway, and must not take the threads of searches meanwhile.
    writing = WorkPool("write", 1, settings.pending, settings.timeout_s)
    metrics = Metrics(lambda: None if engine.index is None else len(engine.index))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for pool in (reading, writing):
            pool.close()
        engine.close()

    routes = [_route(operation, engine, settings, reading, writing) for operation in OPERATIONS]
    routes += [page_route(file) for file in page_files()]
    routes.append(_text_route("/metrics", metrics.text, CONTENT_TYPE, reading))
    document = openapi_document(OPERATIONS, keyed=bool(keys))
    routes.append(_text_route("/openapi.json", lambda: document, "application/json", reading))
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


def _route(
    operation: Operation,
    engine: Engine,
    settings: Settings,
    reading: WorkPool,
    writing: WorkPool,
) -> Route:
    pool = writing if operation.writes else reading

    async def endpoint(request: HttpRequest) -> HttpResponse:
        request.scope[ROUTE] = operation.path
        parse = await receive(
            operation, request, most_bytes=settings.body_bytes, timeout_s=settings.timeout_s
        )
        body = await pool.run(partial(_answer, operation, engine, parse))
        return HttpResponse(body, media_type="application/json")

    path = operation.path.replace("}", ":key}")
    return Route(path, endpoint, methods=[operation.method], name=operation.name)


def _answer(operation: Operation, engine: Engine, parse: Parse) -> bytes:
    """Parse, compute and write: all that costs time, in one go on one thread."""
    try:
        return operation.call(engine, parse()).to_json()
    except ValidationError as error:
        raise problem_of(error) from error


def _text_route(path: str, text: Callable[[], bytes], media_type: str, pool: WorkPool) -> Route:
    async def endpoint(request: HttpRequest) -> HttpResponse:
        request.scope[ROUTE] = path
        return HttpResponse(await pool.run(text), headers={"Content-Type": media_type})

    return Route(path, endpoint, methods=["GET"])


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
