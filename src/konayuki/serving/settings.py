"""What a service is started with, as one value that worker processes are given too."""

from dataclasses import dataclass
from pathlib import Path

from konayuki.errors import InputError, NotFoundError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SHORTEST_KEY = 16
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        index: Folder of the index; None serves embeddings alone.
        model: Folder or hub id of the model; None takes the bundled one.
        aliases: Further names that `GET /v1/models` lists.
        strict_model: Refuse embeddings under model names that are not listed.
        create: Make the index if it does not exist.
        read_only: Refuse to change the index.
        share_index: Let other processes write to the index too: the writer lock is then taken for
            each write and given back after it.
        open_files: Let the page open the files of hits with the programs of this machine; only for
            a service that no other machine can reach.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        workers: Number of processes that answer.
        threads: Number of requests that one process computes at a time.
        pending: Number of requests that may wait in one process; more are turned away.
        connections: Number of open connections of one process; a new one then takes the place of
            the one that has kept the server waiting longest.
        body_bytes: Size of the longest request body.
        collect_bytes: Bytes of bodies that one process holds at a time.
        timeout_s: Longest time for a body to arrive, and from then to the answer.
        shutdown_s: Longest time for requests in flight when the service stops.
        api_key_file: File of accepted keys, one a line; None asks for none.
        allowed_hosts: Names besides localhost that clients may use for a server without keys.
        cors_origins: Web origins whose pages may call the service.
        access_log: Whether each request is logged.

    Examples:
        >>> Settings(index="notes.konayuki", read_only=True, port=0).workers
        1
    """

    index: str | None = None
    model: str | None = None
    aliases: tuple[str, ...] = ()
    strict_model: bool = False
    create: bool = False
    read_only: bool = False
    share_index: bool = False
    open_files: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    threads: int = 2
    pending: int = 256
    connections: int = 1024
    body_bytes: int = 8 * _MEGABYTE
    collect_bytes: int = 64 * _MEGABYTE
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
        NotFoundError: The file cannot be read.
        InputError: It holds no key, or one that is too short to be a secret.
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
            f"{path}: a key is shorter than {SHORTEST_KEY} characters: expected a long random one\n"
            "hint: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return keys
