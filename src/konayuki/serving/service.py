"""Start the service: bind, warn, serve with one process or several, stop in order."""

import logging
import math
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial

import uvicorn
from starlette.applications import Starlette

from konayuki.errors import KonayukiError, NotFoundError
from konayuki.serving.app import build_app
from konayuki.serving.connections import Gate, GuardedProtocol
from konayuki.serving.engine import Engine
from konayuki.serving.prometheus import SHARED_FOLDER
from konayuki.serving.settings import Settings, read_keys
from konayuki.serving.workers import (
    STARTUP_FAILURE,
    Supervisor,
    end_by_deadline,
    end_with_parent,
)

if sys.platform != "win32":
    import resource

_BACKLOG = 128
_OTHER_FILES = 64  # descriptors for the index, the log, the model
_HEAD_S = 10.0
_UNRESPONSIVE_S = 30  # a worker that answers no ping for so long is replaced

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered before the end.

    Raises:
        KonayukiError: The model, the index or the key file cannot be used, or the port is taken.
    """
    log_to_stderr(settings)
    keys = read_keys(settings.api_key_file)
    engine = Engine.open(settings)  # also with workers: what is wrong is said once, here
    with bound(settings) as listener:
        for warning in warnings_of(settings, keys):
            logger.warning(warning)
        logger.info("serving %s on %s", describe(engine), url_of(settings, listener))
        if settings.workers == 1:
            gate = gate_of(settings)
            config = uvicorn_config(settings, partial(make_app, settings, engine, gate), gate)
            uvicorn.Server(config).run(sockets=[listener])
            return
        engine.close()
        with tempfile.TemporaryDirectory(prefix="konayuki-metrics-") as folder:
            os.environ[SHARED_FOLDER] = folder  # all workers count in one place
            gate = gate_of(settings)  # each worker gets a copy
            config = uvicorn_config(settings, partial(make_worker_app, settings, gate), gate)
            Supervisor(config, [listener]).run()


def make_app(settings: Settings, engine: Engine, gate: Gate) -> Starlette:
    """Return the application, in the process that serves it and after uvicorn's signal handlers."""
    end_by_deadline(min(settings.shutdown_s, settings.timeout_s))
    return build_app(engine, settings, read_keys(settings.api_key_file), gate)


def make_worker_app(settings: Settings, gate: Gate) -> Starlette:
    """Return the application in one of several processes."""
    end_with_parent()
    log_to_stderr(settings)
    try:
        return make_app(settings, Engine.open(settings), gate)
    except KonayukiError as error:
        logger.error("%s", error)
        sys.exit(STARTUP_FAILURE)  # the supervisor stops instead of starting another


def gate_of(settings: Settings) -> Gate:
    """Return the limits of the connections of one process."""
    return Gate(
        connections=connection_limits(settings.connections)[0],
        collect_bytes=settings.collect_bytes,
        timeout_s=settings.timeout_s,
        head_s=min(_HEAD_S, settings.timeout_s),
    )


def uvicorn_config(
    settings: Settings, factory: Callable[[], Starlette], gate: Gate
) -> uvicorn.Config:
    """Return how uvicorn runs the application; logging and limits are ours."""
    _, backlog = connection_limits(settings.connections)
    return uvicorn.Config(
        factory,
        factory=True,
        workers=settings.workers,
        http=partial(GuardedProtocol, gate=gate),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,  # from proxies on this machine only, uvicorn's default
        backlog=backlog,
        timeout_graceful_shutdown=math.ceil(min(settings.shutdown_s, settings.timeout_s)),
        timeout_worker_healthcheck=_UNRESPONSIVE_S,
    )


def connection_limits(n_wanted: int) -> tuple[int, int]:
    """Return how many connections fit the limit on open files, and the length of their queue.

    asyncio accepts as many connections at once as the queue is long, before anybody can count them.
    """
    if sys.platform == "win32":
        return n_wanted, _BACKLOG
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_files = n_wanted + _BACKLOG + _OTHER_FILES
    if soft < n_files and soft != resource.RLIM_INFINITY:
        soft = n_files if hard == resource.RLIM_INFINITY else min(n_files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        backlog = min(_BACKLOG, soft // 4)
        return max(1, min(n_wanted, soft - backlog - _OTHER_FILES)), backlog
    return n_wanted, _BACKLOG


def bound(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        KonayukiError: The address cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # With the protocol named, asyncio turns Nagle's algorithm off: 40 ms of every answer.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise NotFoundError(f"host {settings.host!r}: expected an address: {error}") from error
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise KonayukiError(
            f"cannot serve on {settings.host} port {settings.port}: {error.strerror or error}\n"
            "hint: --port 0 takes a free port"
        ) from error
    return listener


def warnings_of(settings: Settings, keys: Sequence[bytes]) -> list[str]:
    """Return what an operator should know before the first request."""
    warnings = []
    if not keys and not settings.is_local:
        rights = "search" if settings.read_only else "search, add and delete documents"
        warnings.append(
            f"anyone who reaches {settings.host} can {rights}: no key is asked for "
            "(--api-key-file FILE sets one)"
        )
    if "*" in settings.cors_origins and not keys:
        warnings.append("every web page can use this service: --cors '*' without a key")
    return warnings


def describe(engine: Engine) -> str:
    """Return what is being served, for people."""
    model = f"{engine.model.dim}-dimensional embeddings"
    if engine.index is None:
        return model
    return f"{engine.index_path} ({len(engine.index)} documents) and {model}"


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Return the address of the service."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}/"


def log_to_stderr(settings: Settings) -> None:
    """Write warnings and errors as text, and the access log as JSON lines, to stderr."""
    text = logging.StreamHandler(sys.stderr)
    text.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    for name in ("konayuki", "uvicorn.error"):
        logging.getLogger(name).handlers = [text]
        logging.getLogger(name).propagate = False
    logging.getLogger("konayuki").setLevel(logging.WARNING)
    logging.getLogger("konayuki.serving").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger("konayuki.access")
    access.handlers = [lines]
    access.propagate = False
    access.setLevel(logging.INFO if settings.access_log else logging.WARNING)
