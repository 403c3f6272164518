"""Start the service: bind, warn, serve with one process or several, stop in order."""

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette

from konayuki.errors import KonayukiError, NotFoundError
from konayuki.serving.engine import Engine
from konayuki.serving.http import build_app
from konayuki.serving.metrics import SHARED_FOLDER
from konayuki.serving.settings import Settings, read_keys
from konayuki.serving.workers import end_with_parent, run_workers

_BACKLOG = 1024

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
            config = uvicorn_config(build_app(engine, settings, keys), settings)
            uvicorn.Server(config).run(sockets=[listener])
            return
        engine.close()
        serve_with_workers(settings, listener)


def serve_with_workers(settings: Settings, listener: socket.socket) -> None:
    """Serve with several processes that accept from one socket and count in one place."""
    with tempfile.TemporaryDirectory(prefix="konayuki-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        run_workers(settings.workers, worker, (settings, listener))


def worker(settings: Settings, listener: socket.socket) -> None:
    """Be one of several processes."""
    end_with_parent()
    log_to_stderr(settings)
    app = build_app(Engine.open(settings), settings, read_keys(settings.api_key_file))
    uvicorn.Server(uvicorn_config(app, settings)).run(sockets=[listener])


def uvicorn_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn is to run the application; logging and limits are ours."""
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,  # from proxies on this machine only, uvicorn's default
        timeout_graceful_shutdown=settings.shutdown_s,
    )


def bound(settings: Settings) -> socket.socket:
    """Return a listening socket.

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
        raise NotFoundError(f"host {settings.host!r} is not an address: {error}") from error
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
