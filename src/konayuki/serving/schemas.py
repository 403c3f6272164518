"""What requests and responses look like; the limits in here are part of the API."""

from typing import Annotated, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    WithJsonSchema,
    field_validator,
)

from konayuki.choices import Mode

TEXTS_AT_ONCE = 2048  # as OpenAI's
TEXT_CHARACTERS = 1_000_000
QUERY_CHARACTERS = 2_000
HITS_AT_ONCE = 100
DOCUMENTS_AT_ONCE = 1_000
SENTENCES_AT_ONCE = 64
FILTER_KEYS = 16
FILTER_VALUES = 100
ID_CHARACTERS = 512
TITLE_CHARACTERS = 2_000

Text = Annotated[str, Field(max_length=TEXT_CHARACTERS)]
Sentence = Annotated[str, Field(max_length=QUERY_CHARACTERS)]
Identity = Annotated[str, Field(min_length=1, max_length=ID_CHARACTERS)]
Title = Annotated[str, Field(max_length=TITLE_CHARACTERS)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Scalar = Annotated[str, Field(max_length=TITLE_CHARACTERS)] | bool | int | Number | None
Filter = Annotated[
    dict[str, Scalar | Annotated[list[Scalar], Field(max_length=FILTER_VALUES)]],
    Field(max_length=FILTER_KEYS),
]


def _whole(value: object) -> object:
    """Return 1 for 1.0, which is a whole number to JSON; other values are left to the check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Vector = Annotated[
    NDArray[np.float32] | str,
    SkipValidation,
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]}),
]


class Request(BaseModel):
    """What a client sends: a misspelt field is an error, not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Response(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)

    def to_json(self) -> bytes:
        """Return the response as UTF-8 JSON."""
        return self.__pydantic_serializer__.to_json(self)


class EmbeddingsRequest(Request):
    """As OpenAI's; fields that we do not know are ignored, as there are many clients."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=TEXTS_AT_ONCE)] = Field(
        description="One text or a list of texts."
    )
    model: str = Field(description="A name that GET /v1/models lists.", max_length=ID_CHARACTERS)
    dimensions: Annotated[int, Field(ge=1, le=65_536), BeforeValidator(_whole)] | None = Field(
        default=None, description="Keep the first so many dimensions."
    )
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(default=None, description="Accepted and not used.")

    @field_validator("input", mode="before")
    @classmethod
    def _no_token_ids(cls, value: object) -> object:
        """Refuse ids of a tokenizer that is not ours, with a remedy that people can search for."""
        if isinstance(value, list) and value and isinstance(value[0], int | list):
            raise ValueError(
                "token ids are not accepted: expected texts\n"
                "hint: LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)"
            )
        return value


class Usage(Response):
    """What a request cost, in pieces of the tokenizer."""

    prompt_tokens: int
    total_tokens: int


class Embedding(Response):
    """The vector of one text; in base64 it is little-endian float32."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: Vector


class EmbeddingsResponse(Response):
    """One unit vector per text, in the order of the texts; an empty text has the zero vector."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage

    def to_json(self) -> bytes:
        """Return the response as UTF-8 JSON; float32 values in their shortest exact form."""
        # Eight times faster than Python floats on the way, and the text is half as long.
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SERIALIZE_NUMPY)


class Model(Response):
    """One name under which the model answers."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "konayuki"


class ModelsResponse(Response):
    """The names that `model` of an embeddings request may have."""

    object: Literal["list"] = "list"
    data: list[Model]


class SearchRequest(Request):
    """A question to the index."""

    query: str = Field(max_length=QUERY_CHARACTERS, description="A question or a few words.")
    k: Whole = Field(default=10, ge=1, le=HITS_AT_ONCE, description="How many hits at most.")
    mode: Mode = Field(
        default="hybrid", description="By words and meaning, by meaning alone, by words alone."
    )
    where: Filter | None = Field(
        default=None, description="Metadata that a hit must have; a list means any of its values."
    )


class Segment(Response):
    """A piece of a passage, and whether the query occurs in it."""

    text: str
    match: bool


class HitResponse(Response):
    """One answer, with the two parts of its score: BM25 and cosine."""

    id: str
    score: float
    lexical: float | None
    dense: float | None
    title: str
    heading: str
    text: str
    metadata: dict[str, JsonValue]
    document: str = Field(description="The document that the passage was cut from, or its own id.")
    position: int
    snippet: list[Segment] = Field(description="The part of the text to show, in pieces.")


class SearchResponse(Response):
    """Hits, best first; equal scores are ordered by id."""

    query: str
    mode: Mode
    took_ms: float
    hits: list[HitResponse]


class DocumentRecord(Request):
    """A document to store; one with the same id is replaced."""

    id: Identity
    text: Text
    title: Title = ""
    heading: Title = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    chunk_of: Identity | None = None
    position: Whole = Field(default=0, ge=0, lt=2**63)


class DocumentsRequest(Request):
    """Documents that become searchable together: all of them or none."""

    documents: list[DocumentRecord] = Field(min_length=1, max_length=DOCUMENTS_AT_ONCE)


class DocumentsResponse(Response):
    """What was stored, and how many documents the index holds now."""

    stored: int
    documents: int


class FileUpload(Request):
    """A text file: its name, which is its key, and its bytes."""

    name: Identity
    content: bytes


class NoRequest(Request):
    """Nothing to ask for."""


class DocumentKey(Request):
    """The id of a document, as the path gives it."""

    id: Identity


class DocumentResponse(Response):
    """A stored document."""

    id: str
    text: str
    title: str
    heading: str
    metadata: dict[str, JsonValue]
    chunk_of: str | None
    position: int


class DeletedResponse(Response):
    """How many passages went: the document itself and the chunks cut from it."""

    deleted: int
    documents: int


class SimilarityRequest(Request):
    """Sentences to compare, each with each, or with those of a second list."""

    sentences: list[Sentence] = Field(min_length=1, max_length=SENTENCES_AT_ONCE)
    others: list[Sentence] | None = Field(default=None, min_length=1, max_length=SENTENCES_AT_ONCE)


class SimilarityResponse(Response):
    """Cosines: one row for each sentence, one column for each it was compared with."""

    similarity: list[list[float]]


class HealthResponse(Response):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyResponse(Response):
    """The model is loaded and the index, where there is one, can be searched."""

    status: Literal["ready"] = "ready"


class InfoResponse(Response):
    """What is being served."""

    version: str
    model: str
    dim: int
    documents: int | None
    writable: bool


class ErrorDetail(Response):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorResponse(Response):
    """Every error of every route has this form, which is OpenAI's."""

    error: ErrorDetail
