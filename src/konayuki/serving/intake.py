"""From a request on the wire to a checked value: size, kind and form before meaning."""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from konayuki.serving.operations import Operation, Source
from konayuki.serving.problems import Problem
from konayuki.serving.schemas import FileUpload, NoRequest, Request, SearchRequest

Parse = Callable[[], Request]
_QUERY_FIELDS = {"q": "query", "k": "k", "mode": "mode", "where": "where"}


async def receive(
    operation: Operation, request: HttpRequest, *, most_bytes: int, timeout_s: float
) -> Parse:
    """Return what turns this request into a value; parsing itself can then run off the loop.

    Raises:
        Problem: the body is too long, too slow or of another kind than expected.
    """
    if operation.source is Source.NOTHING:
        return NoRequest
    if operation.source is Source.PATH:
        identity = request.path_params["id"]
        return lambda: operation.request(id=identity)  # type: ignore[call-arg]
    if operation.source is Source.QUERY:
        pairs = request.query_params.multi_items()
        return lambda: read_query(pairs)
    if operation.source is Source.BODY:
        check_json(request.headers.get("content-type", ""))
    check_encoding(request.headers.get("content-encoding", "identity"))
    body = await read_body(request, most_bytes=most_bytes, timeout_s=timeout_s)
    if operation.source is Source.FILE:
        name = request.path_params["name"]
        return lambda: FileUpload(name=name, content=body)
    return lambda: operation.request.model_validate_json(body)


def check_json(content_type: str) -> None:
    """Refuse a body that is not declared as JSON in UTF-8.

    Browsers let any page send other kinds to any server unasked, so this is what keeps web pages
    of others from writing to an index on this machine.
    """
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.split("=", 1)[1].strip('"') for p in parameters if p.startswith("charset=")]
    if kind != "application/json" or any(name not in {"utf-8", "utf8"} for name in charsets):
        raise Problem(
            415,
            "unsupported_media_type",
            f"content type is {content_type or 'missing'!r}: expected application/json in UTF-8",
        )


def check_encoding(content_encoding: str) -> None:
    """Refuse compressed bodies: their true size would be known too late."""
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise Problem(
            415,
            "unsupported_encoding",
            f"content encoding is {content_encoding!r}: expected none",
        )


async def read_body(request: HttpRequest, *, most_bytes: int, timeout_s: float) -> bytes:
    """Return the body, if it comes whole, in time and is not too long."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most_bytes:
        raise _too_long(most_bytes)
    try:
        return await asyncio.wait_for(_collected(request, most_bytes), timeout_s)
    except asyncio.TimeoutError:
        raise Problem(
            408,
            "slow_body",
            f"the body did not arrive within {timeout_s:g} seconds",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Problem(400, "incomplete_body", "the client went before its body was whole") from None


async def _collected(request: HttpRequest, most_bytes: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise _too_long(most_bytes)
    return bytes(body)


def _too_long(most_bytes: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"the body has more than {most_bytes} bytes: expected fewer\nhint: send it in parts",
        headers={"Connection": "close"},
    )


def read_query(pairs: list[tuple[str, str]]) -> SearchRequest:
    """Return the search that the parameters of a URL describe: q, k, mode and where, a JSON object.

    Raises:
        Problem: a parameter is unknown, given twice or cannot be read.
        ValidationError: a value is outside its limits.
    """
    values: dict[str, Any] = {}
    for name, text in pairs:
        field = _QUERY_FIELDS.get(name)
        if field is None or field in values:
            found = "unknown" if field is None else "given twice"
            raise Problem(
                422,
                "invalid_value",
                f"parameter {name!r} is {found}: expected {', '.join(_QUERY_FIELDS)}",
                param=name,
            )
        values[field] = _query_value(name, text)
    try:
        return SearchRequest.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        param = next((name for name, of in _QUERY_FIELDS.items() if of == field), None)
        raise Problem(422, "invalid_value", first["msg"], param=param) from None


def _query_value(name: str, text: str) -> object:
    if name == "k":
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Problem(422, "invalid_value", "k is not a whole number", param=name)
        return int(text)
    if name == "where":
        try:
            return from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Problem(422, "invalid_value", f"not a JSON object: {error}", param=name) from None
    return text
