"""The OpenAPI document, and the service held against it by schemathesis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from konayuki.serving.openapi import openapi_document
from konayuki.serving.operations import OPERATIONS, Operation, RequestSource
from serving.live import Live, serving
from serving.records import FUJI

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
ANY = list(HealthCheck)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    index = tmp_path_factory.mktemp("api") / "notes.konayuki"
    with serving(str(index), "--create", "--model", str(model_folder)) as live:
        live.add(FUJI)
        yield live


@pytest.fixture(scope="module")
def api(target: Live) -> Any:
    return schemathesis.openapi.from_url(f"{target.url}/openapi.json")


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_service_does_what_its_document_says(
    api: Any, target: Live, operation: Operation, mode: str
) -> None:
    described = api[operation.path][operation.method.lower()]
    if mode == "negative" and operation.source is RequestSource.NOTHING:
        pytest.skip("nothing to get wrong")
    cases = described.as_strategy(generation_mode=schemathesis.GenerationMode(mode))

    @given(case=cases)
    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=ANY)
    def check(case: Any) -> None:
        response = case.call(base_url=target.url)
        if "malformed_request" in response.text or response.status_code == 414:
            return  # a URL beyond what the HTTP parser takes never reaches the application
        excluded = []
        if "cannot cut to" in response.text:  # how many dimensions there are depends on the model
            excluded.append(checks.positive_data_acceptance)
        if "without a second look" in response.text:  # a schema cannot tie it to the mode
            excluded.append(checks.positive_data_acceptance)
        if response.status_code == 413:  # a right answer that the check does not know
            excluded.append(checks.negative_data_rejection)
        if operation.source is RequestSource.FILE:  # a schema cannot say whether bytes are text
            excluded.append(checks.positive_data_acceptance)
        case.validate_response(response, excluded_checks=excluded)

    check()


def test_every_operation_is_described() -> None:
    paths = json.loads(openapi_document(OPERATIONS, keyed=True))["paths"]

    described = {(method.upper(), path) for path, entry in paths.items() for method in entry}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS}
    for operation in OPERATIONS:
        entry = paths[operation.path][operation.method.lower()]
        assert {"200", "401", "503"} <= set(entry["responses"])


def test_the_limits_are_in_the_document() -> None:
    schemas = json.loads(openapi_document(OPERATIONS, keyed=False))["components"]["schemas"]

    assert schemas["SearchRequest"]["properties"]["k"]["maximum"] == 100
    assert schemas["DocumentsRequest"]["properties"]["documents"]["maxItems"] == 1000
    assert schemas["SearchRequest"]["additionalProperties"] is False
