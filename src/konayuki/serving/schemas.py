"""What requests and responses look like; the limits in here are part of the API.

Requests are pydantic models, because what arrives must be checked. Responses are dataclasses:
what we send is ours, and checking each hit again would cost more than finding it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    field_validator,
)

from konayuki.choices import Mode, Sort

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
Texts = Annotated[list[Text], Field(min_length=1, max_length=TEXTS_AT_ONCE)]
Sentence = Annotated[str, Field(max_length=QUERY_CHARACTERS)]
Identity = Annotated[str, Field(min_length=1, max_length=ID_CHARACTERS)]
Title = Annotated[str, Field(max_length=TITLE_CHARACTERS)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Scalar = Annotated[str, Field(max_length=TITLE_CHARACTERS)] | bool | int | Number | None
Filter = Annotated[
    dict[str, Scalar | Annotated[list[Scalar], Field(max_length=FILTER_VALUES)]],
    Field(max_length=FILTER_KEYS),
]


def _integral(value: object) -> object:
    """Return 1 for 1.0, which is a whole number to JSON; other values are left to the check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_integral)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(_integral)]
Dimensions = Annotated[int, Field(ge=1, le=65_536), BeforeValidator(_integral)]
Vector = Annotated[
    Any,  # float32 (dim,), or base64 of its little-endian bytes
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]}),
]
# Metadata of documents that an earlier version stored may be nested deeper than a check would go.
Metadata = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": True})]


Verdict = Literal["relevant", "doubtful", "nothing"]
Parts = Annotated[
    Mapping[str, float],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}}),
]


class Request(BaseModel):
    """What a client sends: a misspelt field is an error, not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Response:
    """What a client gets: a dataclass whose fields JSON can hold, NumPy arrays included."""

    def to_json(self) -> bytes:
        """Return the response as UTF-8 JSON; float32 values in their shortest exact form."""
        try:
            return orjson.dumps(self, option=orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError:
            # Whole numbers of more than 64 bits, or deeper than orjson goes: rare, and slower.
            separators = (",", ":")
            text = json.dumps(self, default=_plain, ensure_ascii=False, separators=separators)
            return text.encode()


def _plain(value: object) -> object:
    """Return the fields of a response, or the numbers of an array."""
    return value.tolist() if isinstance(value, np.ndarray) else vars(value)


def check_texts(value: object, most: int) -> object:
    """Say what is wrong with texts in words about texts; pydantic would complain about a union.

    Raises:
        ValueError: There are none, too many, or they are ids of a tokenizer.
    """
    if not isinstance(value, list):
        return value
    if not value:
        raise ValueError("an empty list: expected at least one text")
    if isinstance(value[0], int | list):
        raise ValueError(
            "token ids are not accepted: expected texts\n"
            "hint: LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)"
        )
    if len(value) > most:
        raise ValueError(f"{len(value)} texts: expected at most {most}\nhint: send them in parts")
    return value


class EmbeddingsRequest(Request):
    """As OpenAI's; fields that are not listed here are ignored, since there are many clients."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    input: Text | Texts = Field(description="One text or a list of texts.")
    model: str = Field(
        default="konayuki",
        description="Any name: this server has one model. `--strict-model` accepts listed names.",
        max_length=ID_CHARACTERS,
    )
    dimensions: Dimensions | None = Field(
        default=None, description="Keep only the first N dimensions."
    )
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(default=None, description="Accepted and not used.")

    @field_validator("input", mode="before")
    @classmethod
    def _check_input(cls, value: object) -> object:
        return check_texts(value, TEXTS_AT_ONCE)


@dataclass(frozen=True)
class Usage(Response):
    """What a request cost, in pieces of the tokenizer."""

    prompt_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Embedding(Response):
    """The vector of one text; in base64 it is little-endian float32."""

    index: int
    embedding: Vector
    object: Literal["embedding"] = "embedding"


@dataclass(frozen=True)
class EmbeddingsResponse(Response):
    """One unit vector per text, in the order of the texts; an empty text has the zero vector."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: Literal["list"] = "list"


@dataclass(frozen=True)
class Model(Response):
    """One name under which the model answers."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "konayuki"


@dataclass(frozen=True)
class ModelsResponse(Response):
    """The names of the model; other names are answered too unless `--strict-model` is set."""

    data: list[Model]
    object: Literal["list"] = "list"


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
    plain: bool = Field(
        default=False,
        description='Take the query as text: no "exact phrase", -word, tag:, path:, kind:, after: '
        "or before: in it.",
    )
    min_relevance: Number = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Leave out hits that are less relevant; in mode hybrid.",
    )
    sort: Sort = Field(
        default="score",
        description="Order of the hits; date: the newest of all that match first.",
    )
    by_file: bool = Field(
        default=False, description="One hit for each file, with others of the same file in it."
    )


@dataclass  # not frozen: that would triple the time of making one, and an answer has a hundred
class Segment(Response):
    """A piece of a passage, and whether the query occurs in it."""

    text: str
    match: bool


@dataclass  # not frozen, as `Segment`
class HitResponse(Response):
    """One answer, and what its score is made of."""

    id: str
    score: float
    relevance: Annotated[
        float | None, Field(description="How likely it is an answer, 0 to 1; in mode hybrid.")
    ]
    lexical: Annotated[float | None, Field(description="BM25.")]
    dense: Annotated[float | None, Field(description="Cosine.")]
    parts: Annotated[Parts, Field(description="What each feature adds to the score.")]
    title: str
    heading: str
    text: str
    metadata: Metadata
    document: Annotated[
        str, Field(description="Document that the passage was cut from, or its own id.")
    ]
    position: int
    place: Annotated[str, Field(description="File, with the page or line if it is known.")]
    date: Annotated[str | None, Field(description="YYYY-MM-DD, if the metadata has one.")]
    title_pieces: Annotated[list[Segment], Field(description="The title, in pieces.")]
    snippet: Annotated[list[Segment], Field(description="The part of the text to show, in pieces.")]
    more: Annotated[
        int, Field(description="With by_file: how many other hits of the file follow.")
    ] = 0
    others: Annotated[
        list[Any],
        WithJsonSchema({"type": "array", "items": {"type": "object"}}),
        Field(description="With by_file: the next hits of the file, in this form."),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class SearchResponse(Response):
    """Hits, best first; equal scores are ordered by id."""

    query: str
    mode: Mode
    took_ms: float
    hits: list[HitResponse]
    verdict: Annotated[
        Verdict, Field(description="Whether an answer is likely to be among the hits.")
    ] = "relevant"


class DocumentRecord(Request):
    """A document to store; an existing one with the same id is replaced."""

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


@dataclass(frozen=True)
class DocumentsResponse(Response):
    """How many documents were stored, and how many the index holds now."""

    stored: int
    documents: int


class FileUpload(Request):
    """A text file: its name, which is its key, and its bytes."""

    name: Identity
    content: bytes


class NoRequest(Request):
    """A request without parameters."""


class DocumentKey(Request):
    """The id of a document, as the path gives it."""

    id: Identity


class OpenRequest(Request):
    """The id of a passage whose file is wanted."""

    id: Identity


@dataclass(frozen=True)
class OpenedResponse(Response):
    """The file that was opened."""

    path: str


@dataclass(frozen=True)
class DocumentResponse(Response):
    """A stored document."""

    id: str
    text: str
    title: str
    heading: str
    metadata: Metadata
    chunk_of: str | None
    position: int


@dataclass(frozen=True)
class DeletedResponse(Response):
    """How many documents were removed: the one asked for and the passages cut from it."""

    deleted: int
    documents: int


class SimilarityRequest(Request):
    """Sentences to compare, each with each, or with those of a second list."""

    sentences: list[Sentence] = Field(min_length=1, max_length=SENTENCES_AT_ONCE)
    others: list[Sentence] | None = Field(default=None, min_length=1, max_length=SENTENCES_AT_ONCE)


@dataclass(frozen=True)
class SimilarityResponse(Response):
    """Cosines: one row for each sentence, one column for each that it was compared with."""

    similarity: list[list[float]]


@dataclass(frozen=True)
class HealthResponse(Response):
    """The process answers."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True)
class ReadyResponse(Response):
    """The model is loaded, and the index, if there is one, can be searched."""

    status: Literal["ready"] = "ready"


@dataclass(frozen=True)
class InfoResponse(Response):
    """What is being served."""

    version: str
    model: str
    dim: int
    documents: int | None
    writable: bool
    opens_files: bool


@dataclass(frozen=True)
class ErrorDetail(Response):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str


@dataclass(frozen=True)
class ErrorResponse(Response):
    """Every error of every route has this form, which is OpenAI's."""

    error: ErrorDetail
