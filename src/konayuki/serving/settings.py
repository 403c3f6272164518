"""What a service is started with, as one value that worker processes are given too."""

from dataclasses import dataclass
from pathlib import Path

from konayuki.errors import InputError, NotFoundError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        index: folder of the index, None to serve embeddings alone.
        model: folder or hub id of the model, None for the bundled one.
        aliases: further names under which clients may ask for the model.
        create: make the index where there is none.
        read_only: refuse to change the index.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        workers: processes that answer.
        threads: requests that one process computes at a time.
        pending: requests that may wait in one process; more are turned away.
        body_bytes: longest request body.
        timeout_s: longest time from a request to its answer.
        shutdown_s: how long requests in flight may take when the service stops.
        api_key_file: file of accepted keys, one a line; None asks for none.
        allowed_hosts: names that clients may use for this server where no key protects it.
        cors_origins: web origins whose pages may call the service.
        access_log: whether each request is logged.
    """

    index: str | None = None
    model: str | None = None
    aliases: tuple[str, ...] = ()
    create: bool = False
    read_only: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    threads: int = 2
    pending: int = 256
    body_bytes: int = 8 * 1024 * 1024
    timeout_s: float = 30.0
    shutdown_s: int = 30
    api_key_file: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    access_log: bool = True

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach the service."""
        return self.host in LOOPBACK


def read_keys(path: str | None) -> tuple[bytes, ...]:
    """Return the keys of a key file; blank lines and lines that start with `#` are left out.

    Raises:
        NotFoundError: the file cannot be read.
        InputError: it holds no key, or one that is too short to be a secret.
    """
    if path is None:
        return ()
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith(b"#"))
    if not keys:
        raise InputError(f"{path}: holds no key: expected one a line")
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise InputError(
            f"{path}: a key is shorter than {SHORTEST_KEY} characters\n"
            "hint: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return keys
