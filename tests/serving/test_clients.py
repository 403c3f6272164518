"""Rerank and embeddings, asked by the packages of Cohere and Ollama; Jina's form by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import konayuki
from konayuki.model import StaticModel
from serving.live import Live, serving
from serving.records import KEY
from serving.tiny import DIM

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

TEXTS = ["琵琶湖は日本で一番大きな湖である。", "富士山の高さは3776メートル。", "猫が空を見る。"]
QUERY = "富士山の高さ"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> StaticModel:
    return StaticModel.load(model_folder)


@pytest.fixture(scope="module")
def expected(model: StaticModel) -> list[tuple[int, float]]:
    return [(line.position, line.relevance) for line in konayuki.rerank(QUERY, TEXTS, model=model)]


@pytest.fixture
def ollama_client(shared: Live) -> Iterator[Any]:
    ollama = pytest.importorskip("ollama", reason="the client of Ollama is not installed")
    with ollama.Client(host=shared.url) as client:
        yield client


@contextmanager
def cohere_client(live: Live, kind: str, key: str = "none") -> Iterator[Any]:
    cohere = pytest.importorskip("cohere", reason="the client of Cohere is not installed")
    with httpx.Client() as connections:  # its own would stay open
        yield getattr(cohere, kind)(key, base_url=live.url, httpx_client=connections)


def pairs(results: Any) -> list[tuple[int, float]]:
    return [(one.index, one.relevance_score) for one in results]


@pytest.mark.parametrize("kind", ["Client", "ClientV2"])
def test_coheres_client_gets_the_order_of_the_library(
    shared: Live, expected: list[tuple[int, float]], kind: str
) -> None:
    with cohere_client(shared, kind) as client:
        answer = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS, top_n=2)
        everything = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS)

    assert pairs(everything.results) == [(n, pytest.approx(score)) for n, score in expected]
    assert pairs(answer.results) == pairs(everything.results)[:2]
    assert expected[0][0] == 1
    assert answer.meta.api_version.version == "2"


def test_coheres_client_may_send_objects_and_get_the_texts_back(shared: Live) -> None:
    documents = [{"text": text, "title": "x"} for text in TEXTS]

    with cohere_client(shared, "Client") as client:
        answer = client.rerank(query=QUERY, documents=documents, return_documents=True)

    assert [one.document.text for one in answer.results] == [
        TEXTS[one.index] for one in answer.results
    ]


def test_coheres_client_sends_its_key(keyed: Live) -> None:
    cohere = pytest.importorskip("cohere", reason="the client of Cohere is not installed")

    with cohere_client(keyed, "ClientV2", KEY) as client:
        answer = client.rerank(model="x", query=QUERY, documents=TEXTS)
    with (
        cohere_client(keyed, "ClientV2", "wrong") as client,
        pytest.raises(cohere.UnauthorizedError),
    ):
        client.rerank(model="x", query="a", documents=["b"])

    assert answer.results[0].index == 1


def test_the_form_of_jina_is_answered(shared: Live, expected: list[tuple[int, float]]) -> None:
    body = {
        "model": "jina-reranker-v2-base-multilingual",
        "query": QUERY,
        "documents": TEXTS,
        "top_n": None,
        "return_documents": True,
    }

    answer = shared.call("POST", "/v1/rerank", body).json

    assert answer["model"] == body["model"]
    assert answer["usage"]["total_tokens"] > 0
    assert [one["index"] for one in answer["results"]] == [place for place, _ in expected]
    assert answer["results"][0]["document"] == {"text": TEXTS[1]}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"documents": []}, "documents"),
        ({"documents": ["雪"] * 1001}, "documents"),
        ({"documents": ["雪", 5]}, "documents[1]"),
        ({"documents": [{"title": "雪"}]}, "documents[0]"),
        ({"query": "雪" * 2001}, "query"),
        ({"top_n": 0}, "top_n"),
    ],
)
def test_what_cannot_be_reranked_is_named(shared: Live, change: dict[str, Any], param: str) -> None:
    reply = shared.call("POST", "/v1/rerank", {"query": "雪", "documents": ["雪"], **change})

    assert reply.status == 422
    assert reply.json["error"]["param"].startswith(param)


def test_ollamas_client_gets_the_vectors_of_the_model(
    ollama_client: Any, model: StaticModel
) -> None:
    many = ollama_client.embed(model="mxbai-embed-large", input=TEXTS, truncate=True)
    one = ollama_client.embed(model="konayuki:latest", input="雪", dimensions=8)
    old = ollama_client.embeddings(model="konayuki", prompt=QUERY)

    assert np.array_equal(np.float32(many.embeddings), model.encode(TEXTS))
    assert many.model == "mxbai-embed-large"
    assert many.prompt_eval_count == len(model.tokenize(TEXTS).ids)
    assert np.array_equal(np.float32(one.embeddings), model.encode(["雪"], dim=8))
    assert np.array_equal(np.float32(old.embedding), model.encode(QUERY))


def test_ollamas_client_lists_the_names(ollama_client: Any, model: StaticModel) -> None:
    [listed] = ollama_client.list().models

    assert listed.model == "konayuki:latest"
    assert listed.size == model.nbytes
    assert listed.digest == model.fingerprint
    assert listed.details.quantization_level == "Q4"


def test_ollamas_client_hears_what_is_wrong(ollama_client: Any) -> None:
    ollama = pytest.importorskip("ollama")
    with pytest.raises(ollama.ResponseError, match=f"{DIM}") as error:
        ollama_client.embed(model="konayuki", input="雪", dimensions=DIM + 1)

    assert error.value.status_code == 422


def test_the_version_is_ours(shared: Live) -> None:
    assert shared.call("GET", "/api/version").json == {"version": konayuki.__version__}


def test_token_ids_are_refused_here_too(shared: Live) -> None:
    reply = shared.call("POST", "/api/embed", {"model": "x", "input": [1, 2]})

    assert reply.status == 422
    assert "check_embedding_ctx_length=False" in reply.json["error"]["message"]


@pytest.fixture(scope="module")
def strict(model_folder: Path) -> Iterator[Live]:
    with serving("--model", str(model_folder), "--strict-model", "--alias", "bge-m3") as live:
        yield live


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rerank", {"query": "雪", "documents": ["雪"]}),
        ("/v2/rerank", {"query": "雪", "documents": ["雪"]}),
        ("/api/embed", {"input": "雪"}),
        ("/api/embeddings", {"prompt": "雪"}),
    ],
)
def test_a_strict_server_answers_its_names_only(
    strict: Live, path: str, body: dict[str, Any]
) -> None:
    assert strict.call("POST", path, {**body, "model": "bge-m3"}).status == 200
    reply = strict.call("POST", path, {**body, "model": "other"})
    assert (reply.status, reply.code) == (404, "model_not_found")
    assert "--alias" in reply.json["error"]["message"]
