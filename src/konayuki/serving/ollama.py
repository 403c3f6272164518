"""Embeddings as the clients of Ollama ask for them, so that they need no other configuration."""

import time
from dataclasses import dataclass

from pydantic import ConfigDict, Field, field_validator

import konayuki
from konayuki.serving.api import check_model
from konayuki.serving.engine import Engine
from konayuki.serving.schemas import (
    ID_CHARACTERS,
    TEXTS_AT_ONCE,
    Dimensions,
    NoRequest,
    Request,
    Response,
    Text,
    Texts,
    Vector,
    check_texts,
)

_TAG = ":latest"  # what Ollama adds to a name without a tag


class OllamaEmbedRequest(Request):
    """As Ollama's; `truncate`, `options` and `keep_alive` are ignored: no text is too long."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    input: Text | Texts = Field(description="One text or a list of texts.")
    model: str = Field(default="konayuki", max_length=ID_CHARACTERS)
    dimensions: Dimensions | None = Field(
        default=None, description="Keep only the first N dimensions."
    )

    @field_validator("input", mode="before")
    @classmethod
    def _check_input(cls, value: object) -> object:
        return check_texts(value, TEXTS_AT_ONCE)


class OllamaPromptRequest(Request):
    """One text, in the older form of Ollama's request."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    prompt: Text
    model: str = Field(default="konayuki", max_length=ID_CHARACTERS)


@dataclass(frozen=True)
class OllamaEmbedResponse(Response):
    """One unit vector per text, in the order of the texts; times in nanoseconds."""

    model: str
    embeddings: list[Vector]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


@dataclass(frozen=True)
class OllamaPromptResponse(Response):
    """The unit vector of one text."""

    embedding: Vector


@dataclass(frozen=True)
class OllamaDetails(Response):
    """What kind of model it is."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


@dataclass(frozen=True)
class OllamaModel(Response):
    """One name under which the model answers."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails


@dataclass(frozen=True)
class OllamaTagsResponse(Response):
    """The names of the model; other names are answered too unless `--strict-model` is set."""

    models: list[OllamaModel]


@dataclass(frozen=True)
class OllamaVersionResponse(Response):
    """The version of konayuki."""

    version: str


def ollama_embed(engine: Engine, request: OllamaEmbedRequest) -> OllamaEmbedResponse:
    """Return the vectors of texts.

    Raises:
        Problem: `--strict-model` is set and the model has another name.
        DimensionError: The model has fewer dimensions.
    """
    started = time.perf_counter_ns()
    check_model(engine, request.model.removesuffix(_TAG))
    texts = [request.input] if isinstance(request.input, str) else request.input
    vectors, n_tokens = engine.encode(texts, request.dimensions)
    took = time.perf_counter_ns() - started
    return OllamaEmbedResponse(request.model, list(vectors), took, 0, n_tokens)


def ollama_embeddings(engine: Engine, request: OllamaPromptRequest) -> OllamaPromptResponse:
    """Return the vector of one text.

    Raises:
        Problem: `--strict-model` is set and the model has another name.
    """
    check_model(engine, request.model.removesuffix(_TAG))
    vectors, _ = engine.encode([request.prompt])
    return OllamaPromptResponse(vectors[0])


def ollama_tags(engine: Engine, _: NoRequest) -> OllamaTagsResponse:
    """Return the names of the model and what it is."""
    model = engine.model
    details = OllamaDetails(
        parent_model="",
        format="safetensors",
        family="static",
        families=["static"],
        parameter_size=f"{model.vocab_size * model.dim / 1e6:.1f}M",
        quantization_level="Q4" if model.bits == 4 else f"F{model.bits}",
    )
    models = [
        OllamaModel(
            name=f"{name}{_TAG}",
            model=f"{name}{_TAG}",
            modified_at="1970-01-01T00:00:00Z",
            size=model.nbytes,
            digest=model.fingerprint,
            details=details,
        )
        for name in engine.names
    ]
    return OllamaTagsResponse(models)


def ollama_version(_engine: Engine, _: NoRequest) -> OllamaVersionResponse:
    """Return the version of konayuki."""
    return OllamaVersionResponse(konayuki.__version__)
