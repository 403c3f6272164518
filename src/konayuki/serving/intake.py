"""From a request on the wire to a checked value: size, kind and form before meaning."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import Request as HttpRequest

from konayuki.serving.operations import Operation, RequestSource
from konayuki.serving.problems import Problem, problem_of
from konayuki.serving.schemas import FileUpload, Request

_AS_JSON = {"where", "min_relevance", "plain", "by_file"}  # true, false, numbers and objects


@dataclass(frozen=True)
class Received:
    """What a request brings besides its route.

    Attributes:
        key: The parameter of the path.
        pairs: The parameters of the query string.
        body: The whole body.
    """

    key: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


async def receive(operation: Operation, http_request: HttpRequest, most_bytes: int) -> Received:
    """Return the parts of a request that its operation reads.

    Raises:
        Problem: The body is too long, or of another kind than expected.
    """
    source = operation.source
    key = "".join(http_request.path_params.values())
    if source is RequestSource.QUERY:
        return Received(pairs=tuple(http_request.query_params.multi_items()))
    if source not in {RequestSource.BODY, RequestSource.FILE}:
        return Received(key)
    if source is RequestSource.BODY:
        check_json(http_request.headers.get("content-type", ""))
    check_encoding(http_request.headers.get("content-encoding", ""))
    return Received(key, body=await read_body(http_request, most_bytes))


def parse(operation: Operation, received: Received) -> Request:
    """Return the request that was received, checked; for a thread, since it may take long.

    Raises:
        Problem: It is not what the operation takes; the message names the field.
    """
    try:
        if operation.source is RequestSource.BODY:
            return operation.request.model_validate_json(received.body)
        if operation.source is RequestSource.QUERY:
            return parse_query(operation.request, received.pairs)
        if operation.source is RequestSource.FILE:
            return FileUpload(name=received.key, content=received.body)
        if operation.source is RequestSource.PATH:
            return operation.request.model_validate({"id": received.key})
        return operation.request()
    except ValidationError as error:
        raise problem_of(error) from error


def check_json(content_type: str) -> None:
    """Refuse a body that is not declared as JSON in UTF-8.

    Browsers let any page send other kinds to any server unasked, so this is what keeps web pages
    of others from writing to an index on this machine.

    Raises:
        Problem: The body is declared as something else, or not at all.
    """
    if content_type == "application/json":  # what nearly every client sends
        return
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.split("=", 1)[1].strip('"') for p in parameters if p.startswith("charset=")]
    if kind != "application/json" or any(name not in {"utf-8", "utf8"} for name in charsets):
        raise Problem(
            415,
            "unsupported_media_type",
            f"content type {content_type or 'missing'!r}: expected application/json in UTF-8\n"
            "hint: curl -H 'Content-Type: application/json'",
        )


def media_type(content_type: str) -> str:
    """Return what a body is declared as, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def check_encoding(content_encoding: str) -> None:
    """Refuse compressed bodies: their true size would be known too late.

    Raises:
        Problem: The body is compressed.
    """
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise Problem(
            415,
            "unsupported_encoding",
            f"content encoding {content_encoding!r}: expected none",
        )


async def read_body(http_request: HttpRequest, most_bytes: int) -> bytes:
    """Return the body of a request; how long it may take is for the connection to say.

    Raises:
        Problem: The body is too long, or the client leaves.
    """
    length = http_request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most_bytes:
        raise too_long(most_bytes, "the body")
    body = bytearray()
    try:
        async for chunk in chunks_of(http_request):
            body += chunk
            if len(body) > most_bytes:
                raise too_long(most_bytes, "the body")
    except Problem:
        body.clear()  # or the traceback would keep it until the next garbage collection
        raise
    return bytes(body)


async def chunks_of(http_request: HttpRequest) -> AsyncIterator[bytes]:
    """Yield the parts of a body as they arrive.

    Raises:
        Problem: The client leaves.
    """
    more = True
    while more:
        message = await http_request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "incomplete_body", "the client left before its body was whole")
        more = message.get("more_body", False)
        yield message.get("body", b"")


def too_long(most_bytes: int, what: str) -> Problem:
    """Return the problem of a body, or a part of one, that is longer than the server takes."""
    return Problem(
        413,
        "body_too_large",
        f"{what} has more than {most_bytes} bytes: expected fewer\nhint: send it in parts",
        headers={"Connection": "close"},
    )


def parameters_of(request: type[Request]) -> dict[str, str]:
    """Return the parameters of a URL that a request is made of, and the field of each."""
    return {"q" if field == "query" else field: field for field in request.model_fields}


def parse_query(request: type[Request], pairs: tuple[tuple[str, str], ...]) -> Request:
    """Return the request that the parameters of a URL describe.

    Raises:
        Problem: A parameter is unknown, given twice or cannot be read.
    """
    fields = parameters_of(request)
    values: dict[str, Any] = {}
    for name, text in pairs:
        field = fields.get(name)
        if field is None or field in values:
            fault = "unknown" if field is None else "given twice"
            raise Problem(
                422,
                "invalid_value",
                f"parameter {name!r} is {fault}: expected {', '.join(fields)}",
                param=name,
            )
        values[field] = _parameter(name, text)
    try:
        return request.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        param = next((name for name, of in fields.items() if of == field), None)
        raise Problem(422, "invalid_value", first["msg"], param=param) from None


def _parameter(name: str, text: str) -> object:
    """Return the value that a parameter of the URL stands for."""
    if name in ("k", "n"):
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Problem(
                422, "invalid_value", f"{name} {text!r}: expected a whole number", param=name
            )
        return int(text)
    if name in _AS_JSON:
        try:
            return from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Problem(
                422, "invalid_value", f"{name}: expected JSON: {error}", param=name
            ) from None
    return text
