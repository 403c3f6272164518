"""Embeddings over HTTP, by OpenAI's own client and by hand."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest

from konayuki.model import StaticModel
from serving.live import Live, serving
from serving.tiny import DIM

openai = pytest.importorskip("openai")
TEXTS = ["富士山の高さは？", "雪が降る", "", "a cat"]


@pytest.fixture
def client(shared: Live) -> "Iterator[openai.OpenAI]":
    with openai.OpenAI(base_url=f"{shared.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def model(model_folder: object) -> StaticModel:
    return StaticModel.load(str(model_folder))


@pytest.mark.parametrize("encoding_format", ["float", "base64", None])
def test_the_official_client_gets_the_vectors_of_the_model(
    client: "openai.OpenAI", model: StaticModel, encoding_format: str | None
) -> None:
    more = {} if encoding_format is None else {"encoding_format": encoding_format}
    answer = client.embeddings.create(model="konayuki", input=TEXTS, **more)

    got = [
        np.frombuffer(base64.b64decode(item.embedding), "<f4")
        if isinstance(item.embedding, str)
        else np.array(item.embedding, dtype=np.float32)
        for item in answer.data
    ]
    assert np.array_equal(np.stack(got), model.encode(TEXTS))  # to the last bit
    assert [item.index for item in answer.data] == list(range(len(TEXTS)))


def test_one_string_is_one_text(client: "openai.OpenAI", model: StaticModel) -> None:
    answer = client.embeddings.create(model="konayuki", input="富士山")

    assert len(answer.data) == 1
    assert np.array_equal(np.float32(answer.data[0].embedding), model.encode("富士山"))


def test_usage_counts_the_pieces_of_the_tokenizer(
    client: "openai.OpenAI", model: StaticModel
) -> None:
    usage = client.embeddings.create(model="konayuki", input=TEXTS).usage

    assert usage.prompt_tokens == usage.total_tokens == len(model.tokenize(TEXTS).ids)


def test_fewer_dimensions_are_the_first_ones_at_length_one(
    client: "openai.OpenAI", model: StaticModel
) -> None:
    answer = client.embeddings.create(model="konayuki", input="富士山", dimensions=8)

    assert np.array_equal(np.float32(answer.data[0].embedding), model.encode("富士山", dim=8))
    assert np.linalg.norm(answer.data[0].embedding) == pytest.approx(1.0, abs=1e-6)


def test_an_empty_text_has_the_zero_vector(client: "openai.OpenAI") -> None:
    answer = client.embeddings.create(model="konayuki", input="  ")

    assert answer.data[0].embedding == [0.0] * DIM


def test_the_models_are_listed(client: "openai.OpenAI") -> None:
    assert [model.id for model in client.models.list()] == ["konayuki"]


def test_any_model_name_is_answered_under_that_name(
    client: "openai.OpenAI", model: StaticModel
) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input="雪")

    assert answer.model == "text-embedding-3-small"
    assert np.array_equal(np.float32(answer.data[0].embedding), model.encode("雪"))


def test_a_strict_server_does_not_find_another_model(model_folder: object) -> None:
    arguments = ("--model", str(model_folder), "--strict-model", "--alias", "bge-m3")
    with (
        serving(*arguments) as live,
        openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0) as client,
    ):
        assert len(client.embeddings.create(model="bge-m3", input="雪").data) == 1
        with pytest.raises(openai.NotFoundError) as error:
            client.embeddings.create(model="text-embedding-3-small", input="雪")

    assert error.value.code == "model_not_found"
    assert error.value.param == "model"
    assert "--alias" in error.value.message


def test_more_dimensions_than_there_are_is_an_error_that_says_how_many(
    client: "openai.OpenAI",
) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as error:
        client.embeddings.create(model="konayuki", input="雪", dimensions=DIM + 1)

    assert error.value.param == "dimensions"
    assert str(DIM) in error.value.message


@pytest.mark.parametrize("ids", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_remedy(
    client: "openai.OpenAI", ids: list[int] | list[list[int]]
) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model="konayuki", input=ids)


def test_2048_texts_are_taken_and_2049_are_not(client: "openai.OpenAI") -> None:
    assert len(client.embeddings.create(model="konayuki", input=["雪"] * 2048).data) == 2048
    with pytest.raises(openai.UnprocessableEntityError) as error:
        client.embeddings.create(model="konayuki", input=["雪"] * 2049)

    assert error.value.param == "input"
    assert "2049 texts: expected at most 2048" in error.value.message


def test_no_text_at_all_is_an_error_about_texts(client: "openai.OpenAI") -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="expected at least one text"):
        client.embeddings.create(model="konayuki", input=[])
