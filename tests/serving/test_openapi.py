"""The OpenAPI document, and the service held against it by schemathesis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from serving.conftest import FUJI
from serving.live import Live, serving

from konayuki.serving.openapi import openapi_document
from konayuki.serving.operations import OPERATIONS

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::schemathesis.errors.SchemathesisWarning")
    if hasattr(schemathesis.errors, "SchemathesisWarning")
    else pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    index = tmp_path_factory.mktemp("api") / "notes.konayuki"
    with serving(str(index), "--create", "--model", str(model_folder)) as live:
        live.add(FUJI)
        yield live


@pytest.fixture(scope="module")
def api(target: Live) -> Any:
    return schemathesis.openapi.from_url(f"{target.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_service_does_what_its_document_says(case: Any, target: Live) -> None:
    case.call_and_validate(base_url=target.url)


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
