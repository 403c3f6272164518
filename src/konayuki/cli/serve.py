"""`konayuki serve`: an HTTP service and a search page."""

import argparse

from konayuki.cli.options import place
from konayuki.errors import InputError
from konayuki.extras import require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument(
        "index",
        nargs="?",
        type=place,
        metavar="DIR",
        help="folder of the index; without it only embeddings are served",
    )
    parser.add_argument("--create", action="store_true", help="make the index if it does not exist")
    parser.add_argument("--read-only", action="store_true", help="refuse to change the index")
    parser.add_argument(
        "--share-index",
        action="store_true",
        help="hold the index only while writing, so that konayuki index and watch may write too",
    )
    parser.add_argument(
        "--open-files",
        action="store_true",
        help="let the page open the files of hits with the programs of this machine",
    )
    parser.add_argument(
        "--alias",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of the model for GET /v1/models; repeat for more",
    )
    parser.add_argument(
        "--strict-model",
        action="store_true",
        help="refuse embeddings under other model names instead of answering any",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind")
    parser.add_argument("--port", type=int, default=8080, help="port to bind; 0 takes a free one")
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="accepted keys, one a line (default: no key is asked for)",
    )
    _add_limits(parser)
    _add_web(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that answer")
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        metavar="N",
        help="requests a process computes at a time",
    )
    parser.add_argument(
        "--pending", type=int, default=256, metavar="N", help="requests that may wait in a process"
    )
    parser.add_argument(
        "--connections", type=int, default=1024, metavar="N", help="open connections of a process"
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
        help="a name besides localhost that a server without a key answers to",
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
    for module in (
        "uvicorn", "starlette", "pydantic", "orjson", "httptools", "prometheus_client", "mcp"
    ):  # fmt: skip
        require(module, "serve")
    from konayuki.serving import Settings, serve

    _check(args)
    body_bytes = int(args.max_body_mb * 1024 * 1024)
    serve(
        Settings(
            index=args.index,
            model=args.model,
            aliases=tuple(args.alias),
            strict_model=args.strict_model,
            create=args.create,
            read_only=args.read_only,
            share_index=args.share_index,
            open_files=args.open_files,
            host=args.host,
            port=args.port,
            workers=args.workers,
            threads=args.threads,
            pending=args.pending,
            connections=args.connections,
            body_bytes=body_bytes,
            # Room for several of the longest bodies, or a large one would refuse every other.
            collect_bytes=max(Settings.collect_bytes, 4 * body_bytes),
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
        "connections": (args.connections >= 1, "at least 1"),
        "max-body-mb": (0 < args.max_body_mb < 1024, "more than 0 and less than 1024"),
        "timeout": (0 < args.timeout < 86_400, "seconds, more than 0 and less than a day"),
        "shutdown-timeout": (args.shutdown_timeout >= 0, "0 or more seconds"),
    }
    from konayuki.serving.settings import LOOPBACK

    if args.open_files and args.host not in LOOPBACK:
        raise InputError(
            f"--open-files with --host {args.host}: expected an address of this machine alone\n"
            "hint: leave out --host, or --open-files"
        )
    for name, (holds, expectation) in checks.items():
        if not holds:
            value = getattr(args, name.replace("-", "_"))
            raise InputError(f"--{name} {value}: expected {expectation}")
