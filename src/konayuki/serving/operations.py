"""Every operation of the service, once: the routes, the docs and the tests follow this table."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from konayuki.serving import api
from konayuki.serving.engine import Engine
from konayuki.serving.schemas import (
    DeletedResponse,
    DocumentKey,
    DocumentResponse,
    DocumentsRequest,
    DocumentsResponse,
    EmbeddingsRequest,
    EmbeddingsResponse,
    FileUpload,
    HealthResponse,
    InfoResponse,
    ModelsResponse,
    NoRequest,
    ReadyResponse,
    Request,
    Response,
    SearchRequest,
    SearchResponse,
    SimilarityRequest,
    SimilarityResponse,
)


class Source(Enum):
    """Where a request is read from."""

    NOTHING = "nothing"
    BODY = "body"
    QUERY = "query"
    PATH = "path"
    FILE = "file"


@dataclass(frozen=True)
class Operation:
    """One thing that a client can ask for.

    Attributes:
        method: HTTP method.
        path: path, with its parameters in braces.
        summary: what it does, in a line.
        call: the function of `api` that does it.
        request: what the function takes.
        response: what it returns.
        source: where the request is read from.
        needs_index: whether it fails where no index is served.
        writes: whether it changes the index.
        public: whether it answers without a key.
        fails: further statuses that it has.
    """

    method: str
    path: str
    summary: str
    call: Callable[[Engine, Any], Response]
    request: type[Request]
    response: type[Response]
    source: Source = Source.BODY
    needs_index: bool = True
    writes: bool = False
    public: bool = False
    fails: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The name of the operation: that of its function."""
        return self.call.__name__ if self.source != Source.QUERY else f"{self.call.__name__}_by_url"


OPERATIONS = (
    Operation(
        "POST",
        "/v1/embeddings",
        "Vectors of texts, as OpenAI's clients ask for them",
        api.embeddings,
        EmbeddingsRequest,
        EmbeddingsResponse,
        needs_index=False,
        fails=(404,),
    ),
    Operation(
        "GET",
        "/v1/models",
        "Names under which the model answers",
        api.models,
        NoRequest,
        ModelsResponse,
        source=Source.NOTHING,
        needs_index=False,
    ),
    Operation("POST", "/search", "Hits for a question", api.search, SearchRequest, SearchResponse),
    Operation(
        "GET",
        "/search",
        "Hits for a question in the URL",
        api.search,
        SearchRequest,
        SearchResponse,
        source=Source.QUERY,
    ),
    Operation(
        "POST",
        "/documents",
        "Store documents; one with an id that is there replaces it",
        api.add_documents,
        DocumentsRequest,
        DocumentsResponse,
        writes=True,
    ),
    Operation(
        "GET",
        "/documents/{id}",
        "A stored document",
        api.get_document,
        DocumentKey,
        DocumentResponse,
        source=Source.PATH,
    ),
    Operation(
        "DELETE",
        "/documents/{id}",
        "Remove a document and the passages cut from it",
        api.delete_document,
        DocumentKey,
        DeletedResponse,
        source=Source.PATH,
        writes=True,
    ),
    Operation(
        "PUT",
        "/files/{name}",
        "Store the passages of a text, Markdown, HTML, CSV or JSONL file",
        api.add_file,
        FileUpload,
        DocumentsResponse,
        source=Source.FILE,
        writes=True,
    ),
    Operation(
        "POST",
        "/similarity",
        "How close sentences are to one another",
        api.similarity,
        SimilarityRequest,
        SimilarityResponse,
        needs_index=False,
    ),
    Operation(
        "GET",
        "/info",
        "What is being served",
        api.info,
        NoRequest,
        InfoResponse,
        source=Source.NOTHING,
        needs_index=False,
    ),
    Operation(
        "GET",
        "/health",
        "Whether the process answers",
        api.health,
        NoRequest,
        HealthResponse,
        source=Source.NOTHING,
        needs_index=False,
        public=True,
    ),
    Operation(
        "GET",
        "/ready",
        "Whether the model and the index can be used",
        api.ready,
        NoRequest,
        ReadyResponse,
        source=Source.NOTHING,
        needs_index=False,
        public=True,
    ),
)
