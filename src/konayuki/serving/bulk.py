"""Documents as JSON lines: stored while they arrive, so that any number fits into memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError
from starlette.requests import Request as HttpRequest

from konayuki.errors import InputError
from konayuki.serving import api
from konayuki.serving.connections import TAKEN
from konayuki.serving.engine import Engine
from konayuki.serving.intake import chunks_of, media_type, too_long
from konayuki.serving.problems import Problem, problem_of
from konayuki.serving.schemas import (
    DOCUMENTS_AT_ONCE,
    DocumentRecord,
    DocumentsRequest,
    DocumentsResponse,
)
from konayuki.serving.work import WorkPool

LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_BATCH_BYTES = 1 << 20


def has_lines(http_request: HttpRequest) -> bool:
    """Return whether the body of a request is declared as JSON lines."""
    return media_type(http_request.headers.get("content-type", "")) in LINE_TYPES


@dataclass
class _Batch:
    """Lines that are stored together: all of them or none.

    Attributes:
        first: Number of the first line, from 1.
        lines: JSON, empty lines included, so that numbers stay right.
        n_bytes: Their size.
    """

    first: int = 1
    lines: list[bytes] = field(default_factory=list)
    n_bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Return whether it is large enough to be stored."""
        return len(self.lines) >= DOCUMENTS_AT_ONCE or self.n_bytes >= _BATCH_BYTES


async def add_lines(
    engine: Engine, pool: WorkPool, http_request: HttpRequest, most_bytes: int
) -> bytes:
    """Store the records of a body, one a line, and return how many there were.

    Up to 1,000 records become searchable together. If one cannot be stored, its batch is not, and
    the message names its line and how many records were stored before.

    Args:
        engine: What they are stored in.
        pool: Does the writing.
        http_request: The request.
        most_bytes: Length of the longest line.

    Raises:
        Problem: A line cannot be stored, is too long, or the client leaves; or this server does
            not change its index.
    """
    release: Callable[[int], None] = http_request.scope.get(TAKEN, lambda _: None)
    n_stored, batch, rest = 0, _Batch(), b""

    async def flush() -> None:
        nonlocal n_stored, batch
        n_stored += await pool.run(_store, engine, batch, n_stored)
        release(batch.n_bytes)
        batch = _Batch(first=batch.first + len(batch.lines))

    async for chunk in chunks_of(http_request):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in [*lines, *([rest] if len(rest) > most_bytes else [])]:
            if len(line) > most_bytes:
                raise too_long(most_bytes, "a line")
            batch.lines.append(line)
            batch.n_bytes += len(line) + 1
            if batch.is_full:
                await flush()
    if rest.strip():
        batch.lines.append(rest)
    await flush()
    return DocumentsResponse(n_stored, len(engine.open_index())).to_json()


def _store(engine: Engine, batch: _Batch, n_before: int) -> int:
    """Store a batch and return the number of its records."""
    records = []
    for number, line in enumerate(batch.lines, batch.first):
        if not line.strip():
            continue
        try:
            records.append(DocumentRecord.model_validate_json(line))
        except ValidationError as error:
            raise _in_line(problem_of(error), number, n_before) from None
    if not records:
        engine.check_writable()
        return 0
    try:
        api.add_documents(engine, DocumentsRequest.model_construct(documents=records))
    except InputError as error:
        raise _in_line(problem_of(error), batch.first, n_before) from None
    return len(records)


def _in_line(problem: Problem, number: int, n_before: int) -> Problem:
    name = f", field {problem.param}" if problem.param else ""
    message = f"line {number}{name}: {problem}\n{n_before} records of earlier lines were stored"
    return Problem(422, "invalid_value", message, param=problem.param)
