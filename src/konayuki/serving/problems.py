"""Errors as clients get them: a status, and one form for every route."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from konayuki.errors import (
    DimensionError,
    IndexLockedError,
    InputError,
    KonayukiError,
    ReadOnlyError,
)
from konayuki.serving.schemas import ErrorDetail, ErrorResponse

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_BRANCHES = {"str", "int", "float", "bool", "none"}


class Problem(KonayukiError):
    """An error with the HTTP status and the code that a client gets.

    Args:
        status: HTTP status.
        code: Name of the kind of problem, for programs.
        message: Explanation, for people.
        param: Name of the field that caused it.
        headers: Headers that belong to the status.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the error as JSON."""
        kind = TYPES.get(self.status) or (
            "invalid_request_error" if self.status < 500 else "server_error"
        )
        detail = ErrorDetail(message=str(self), type=kind, param=self.param, code=self.code)
        return ErrorResponse(error=detail).to_json()


def busy(code: str, message: str) -> Problem:
    """Return the problem of a server that can answer a moment later."""
    return Problem(503, code, message, headers={"Retry-After": "1"})


def problem_of(error: Exception) -> Problem:
    """Return an error as clients may see it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, DimensionError):
        return Problem(422, "invalid_value", str(error), param="dimensions")
    if isinstance(error, InputError):
        return Problem(422, "invalid_value", str(error))
    if isinstance(error, ReadOnlyError):
        return Problem(403, "read_only", "this server cannot change its index")
    if isinstance(error, IndexLockedError):
        return busy("index_locked", "another process is writing to the index")
    # The message may name files of this machine: it goes into the log and not to the client.
    return Problem(500, "internal_error", "an error inside the server; its log says more")


def _invalid(error: ValidationError) -> Problem:
    """Return the first complaint about a body; text that is not JSON at all is another status."""
    first: Mapping[str, Any] = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return Problem(400, "invalid_json", first["msg"])
    message = first["msg"].removeprefix("Value error, ")
    return Problem(422, "invalid_value", message, param=_path(first["loc"]))


def _path(location: Sequence[str | int]) -> str | None:
    """Return the path of a field, as in `documents[3].id`, without names of union branches."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in _BRANCHES:
            path += f".{part}" if path else part
    return path or None
