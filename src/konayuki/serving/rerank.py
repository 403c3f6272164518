"""Reranking as the clients of Cohere and Jina ask for it: one answer with the fields of both."""

import secrets
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from konayuki.search import rerank as rerank_texts
from konayuki.serving.api import check_model
from konayuki.serving.engine import Engine
from konayuki.serving.schemas import (
    ID_CHARACTERS,
    QUERY_CHARACTERS,
    Positive,
    Request,
    Response,
    Text,
)

RERANKED_AT_ONCE = 1_000  # as Cohere's


class RerankedText(BaseModel):
    """A document as an object; fields besides its text are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    text: Text


class RerankRequest(Request):
    """As Cohere's and Jina's; their further fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    query: str = Field(max_length=QUERY_CHARACTERS, description="A question or a few words.")
    documents: Annotated[
        list[Text | RerankedText], Field(min_length=1, max_length=RERANKED_AT_ONCE)
    ] = Field(description="Texts, or objects with a field `text`.")
    model: str = Field(
        default="konayuki",
        description="Any name: this server has one model. `--strict-model` accepts listed names.",
        max_length=ID_CHARACTERS,
    )
    top_n: Positive | None = Field(default=None, description="How many of the best at most.")
    return_documents: bool = Field(default=False, description="Repeat the texts in the answer.")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: object) -> object:
        """Take null for a field that is left out, as several clients send it."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None}
        return values

    @property
    def texts(self) -> list[str]:
        """The documents as plain texts."""
        return [item if isinstance(item, str) else item.text for item in self.documents]


@dataclass(frozen=True)
class RerankDocument(Response):
    """A text that was asked to be repeated."""

    text: str


@dataclass(frozen=True)
class RerankResult(Response):
    """A document in its new place."""

    index: Annotated[int, Field(description="Its place in the request, from 0.")]
    relevance_score: Annotated[float, Field(description="From 0 to 1; never rises.")]
    document: RerankDocument | None = None


@dataclass(frozen=True)
class RerankUnits(Response):
    """What a request would be billed as."""

    search_units: int = 0


@dataclass(frozen=True)
class RerankVersion(Response):
    """The version of the form of the answer."""

    version: str = "2"


@dataclass(frozen=True)
class RerankMeta(Response):
    """What Cohere's clients expect to be told."""

    api_version: RerankVersion = RerankVersion()
    billed_units: RerankUnits = RerankUnits()


@dataclass(frozen=True)
class RerankUsage(Response):
    """What a request cost, in pieces of the tokenizer."""

    total_tokens: int
    prompt_tokens: int


@dataclass(frozen=True)
class RerankResponse(Response):
    """Documents, the most relevant first."""

    id: str
    model: str
    results: list[RerankResult]
    usage: RerankUsage
    meta: RerankMeta = field(default_factory=RerankMeta)
    object: str = "list"


def rerank(engine: Engine, request: RerankRequest) -> RerankResponse:
    """Return documents in the order in which they answer a question.

    Raises:
        Problem: `--strict-model` is set and the model has another name.
    """
    check_model(engine, request.model)
    texts = request.texts
    ranked = rerank_texts(request.query, texts, model=engine.model, k=request.top_n)
    results = [
        RerankResult(
            line.position,
            line.relevance,
            RerankDocument(texts[line.position]) if request.return_documents else None,
        )
        for line in ranked
    ]
    n_tokens = len(engine.model.tokenize([request.query, *texts]).ids)
    return RerankResponse(
        id=secrets.token_hex(8),
        model=request.model,
        results=results,
        usage=RerankUsage(n_tokens, n_tokens),
    )
