"""`konayuki serve`: an HTTP service and a search page."""

import argparse

from konayuki.errors import InputError
from konayuki.extras import require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument(
        "index", nargs="?", metavar="DIR", help="folder of the index; none serves embeddings alone"
    )
    parser.add_argument("--create", action="store_true", help="make the index where there is none")
    parser.add_argument("--read-only", action="store_true", help="refuse to change the index")
    parser.add_argument("--model", help="model folder or hub id (default: the bundled model)")
    parser.add_argument(
        "--alias",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which clients may ask for the model; repeat for more",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind")
    parser.add_argument("--port", type=int, default=8080, help="port to bind; 0 takes a free one")
    parser.add_argument(
        "--api-key-file", metavar="FILE", help="accepted keys, one a line; without it none is asked"
    )
    _add_limits(parser)
    _add_web(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that answer")
    parser.add_argument(
        "--threads", type=int, default=2, metavar="N", help="requests a process computes at a time"
    )
    parser.add_argument(
        "--pending", type=int, default=256, metavar="N", help="requests a process lets wait"
    )
    parser.add_argument(
        "--max-body-mb", type=float, default=8.0, metavar="MB", help="longest request body"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="longest time to an answer"
    )
    parser.add_argument(
        "--shutdown-timeout",
        type=int,
        default=30,
        metavar="S",
        help="longest time for requests in flight when the service stops",
    )


def _add_web(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name besides localhost under which a server without a key answers",
    )
    parser.add_argument(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="web origin whose pages may call the service; repeat for more",
    )
    parser.add_argument("--no-access-log", action="store_true", help="log no requests")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    for module in ("uvicorn", "starlette", "pydantic", "orjson", "httptools", "prometheus_client"):
        require(module, "serve")
    from konayuki.serving.run import serve
    from konayuki.serving.settings import Settings

    _check(args)
    serve(
        Settings(
            index=args.index,
            model=args.model,
            aliases=tuple(args.alias),
            create=args.create,
            read_only=args.read_only,
            host=args.host,
            port=args.port,
            workers=args.workers,
            threads=args.threads,
            pending=args.pending,
            body_bytes=int(args.max_body_mb * 1024 * 1024),
            timeout_s=args.timeout,
            shutdown_s=args.shutdown_timeout,
            api_key_file=args.api_key_file,
            allowed_hosts=tuple(args.allowed_host),
            cors_origins=tuple(args.cors),
            access_log=not args.no_access_log,
        )
    )
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse numbers that no service can run with."""
    checks = {
        "port": (0 <= args.port < 65_536, "a port from 0 to 65535"),
        "workers": (args.workers >= 1, "at least 1"),
        "threads": (args.threads >= 1, "at least 1"),
        "pending": (args.pending >= 0, "0 or more"),
        "max-body-mb": (0 < args.max_body_mb < 1024, "more than 0 and less than 1024"),
        "timeout": (0 < args.timeout < 86_400, "seconds, more than 0 and less than a day"),
        "shutdown-timeout": (args.shutdown_timeout >= 0, "0 or more seconds"),
    }
    for name, (holds, expectation) in checks.items():
        if not holds:
            value = getattr(args, name.replace("-", "_"))
            raise InputError(f"--{name} {value}: expected {expectation}")
