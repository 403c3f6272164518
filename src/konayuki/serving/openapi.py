"""The OpenAPI document, written from the table of operations."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import TypeAdapter

import konayuki
from konayuki.serving.intake import parameters_of
from konayuki.serving.operations import Operation, RequestSource
from konayuki.serving.schemas import ErrorResponse, Request, Response

_REFERENCE = "#/components/schemas/{model}"
Json = dict[str, Any]


def openapi_document(operations: Sequence[Operation], *, keyed: bool) -> bytes:
    """Return the OpenAPI 3.1 document as JSON.

    Args:
        operations: What the service does.
        keyed: Whether it asks for a key.
    """
    paths: dict[str, Json] = {}
    for operation in operations:
        described = _described(operation, keyed=keyed)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "konayuki",
            "version": konayuki.__version__,
            "description": "Sentence embeddings and hybrid search for Japanese.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": _schemas(operations)},
    }
    if keyed:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _schemas(operations: Sequence[Operation]) -> Json:
    models: list[type[Request] | type[Response]] = [ErrorResponse]
    models += [o.request for o in operations if o.source is RequestSource.BODY]
    models += [operation.response for operation in operations]
    _, definitions = TypeAdapter.json_schemas(
        [(model.__name__, "validation", TypeAdapter(model)) for model in dict.fromkeys(models)],
        ref_template=_REFERENCE,
    )
    schemas: Json = definitions["$defs"]
    return schemas


def _described(operation: Operation, *, keyed: bool) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": (operation.call.__doc__ or "").partition("\n")[0],
        "responses": _responses(operation, keyed=keyed),
    }
    if operation.source is RequestSource.BODY:
        described["requestBody"] = _body("application/json", _schema(operation.request))
        if operation.takes_lines:
            described["description"] += (
                " As application/x-ndjson the body holds a document a line, any number of them: "
                "up to 1,000 at a time are stored while the others arrive."
            )
    elif operation.source is RequestSource.FILE:
        described["requestBody"] = _body("application/octet-stream", {"type": "string"})
    if parameters := list(_parameters(operation)):
        described["parameters"] = parameters
    if keyed:
        described["security"] = [{"key": []}, {}] if operation.public else [{"key": []}]
    return described


def _responses(operation: Operation, *, keyed: bool) -> Json:
    statuses = {*operation.fails, 503}
    if operation.source is not RequestSource.NOTHING:
        statuses |= {400, 422}
    if operation.source in {RequestSource.BODY, RequestSource.FILE}:
        statuses |= {408, 413, 415}
    if operation.needs_index:
        statuses.add(404)
    if operation.writes:
        statuses.add(403)
    if keyed:
        statuses.add(401)
    good = {"description": "Done", "content": _content("application/json", operation.response)}
    responses: Json = {"200": good}
    if operation.tagged:
        responses["304"] = {"description": "The client knows it: If-None-Match names its ETag"}
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _content("application/json", ErrorResponse),
        }
    return responses


def _parameters(operation: Operation) -> list[Json]:
    if operation.source in {RequestSource.PATH, RequestSource.FILE}:
        name = operation.path.partition("{")[2].rstrip("}")
        schema = {"type": "string", "minLength": 1, "maxLength": 512}
        return [{"name": name, "in": "path", "required": True, "schema": schema}]
    if operation.source is not RequestSource.QUERY:
        return []
    document: Json = operation.request.model_json_schema()
    parameters: list[Json] = []
    for name, field in parameters_of(operation.request).items():
        described = document["properties"][field]
        parameter: Json = {
            "name": name,
            "in": "query",
            "required": field in document.get("required", ()),
        }
        if name == "where":
            parameter["description"] = f"{described['description']} A JSON object."
            parameter["content"] = {"application/json": {"schema": described["anyOf"][0]}}
        else:
            parameter["schema"] = described
        parameters.append(parameter)
    return parameters


def _body(media_type: str, schema: Json) -> Json:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _content(media_type: str, model: type[Response]) -> Json:
    return {media_type: {"schema": _schema(model)}}


def _schema(model: type[Request] | type[Response]) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
