"""Every operation of the service, once: the routes, the docs and the tests follow this table."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from konayuki.ingest.kinds import kinds_in_words
from konayuki.serving import api, ollama, searching
from konayuki.serving.engine import Engine
from konayuki.serving.ollama import (
    OllamaEmbedRequest,
    OllamaEmbedResponse,
    OllamaPromptRequest,
    OllamaPromptResponse,
    OllamaTagsResponse,
    OllamaVersionResponse,
)
from konayuki.serving.rerank import RerankRequest, RerankResponse, rerank
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
    OpenedResponse,
    OpenRequest,
    ReadyResponse,
    Request,
    Response,
    SearchRequest,
    SearchResponse,
    SimilarityRequest,
    SimilarityResponse,
)
from konayuki.serving.searching import (
    ContextRequest,
    ContextResponse,
    MarkRequest,
    MarkResponse,
    SimilarRequest,
    SimilarResponse,
    SuggestRequest,
    SuggestResponse,
)


class RequestSource(Enum):
    """The part of an HTTP request that the parameters come from."""

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
        path: Path, with its parameter in braces.
        summary: What the operation does, in a line.
        call: The function of `api` that does it.
        request: Type that the function takes.
        response: Type that it returns.
        source: Part of the HTTP request that the parameters come from.
        needs_index: Whether it fails if no index is served.
        writes: Whether it changes the index.
        public: Whether it answers without a key.
        fails: Further statuses that it has.
        tagged: Whether answers have an ETag, so that a client can ask whether anything changed.
        takes_lines: Whether it also takes records as JSON lines, see `konayuki.serving.bulk`.
        variant: Ends the name of a second operation of the same function.
    """

    method: str
    path: str
    summary: str
    call: Callable[[Engine, Any], Response]
    request: type[Request]
    response: type[Response]
    source: RequestSource = RequestSource.BODY
    needs_index: bool = True
    writes: bool = False
    public: bool = False
    fails: tuple[int, ...] = ()
    tagged: bool = False
    takes_lines: bool = False
    variant: str = ""

    @property
    def name(self) -> str:
        """The name of the operation: that of its function."""
        return self.call.__name__ + self.variant


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
        source=RequestSource.NOTHING,
        needs_index=False,
    ),
    *(
        Operation(
            "POST",
            f"/{version}/rerank",
            f"Texts in the order in which they answer a question, as {clients} ask for it",
            rerank,
            RerankRequest,
            RerankResponse,
            needs_index=False,
            fails=(404,),
            variant=variant,
        )
        for version, clients, variant in (
            ("v1", "clients of Cohere and Jina", ""),
            ("v2", "newer clients of Cohere", "_v2"),
        )
    ),
    Operation(
        "POST",
        "/api/embed",
        "Vectors of texts, as Ollama's clients ask for them",
        ollama.ollama_embed,
        OllamaEmbedRequest,
        OllamaEmbedResponse,
        needs_index=False,
        fails=(404,),
    ),
    Operation(
        "POST",
        "/api/embeddings",
        "The vector of one text, as older clients of Ollama ask for it",
        ollama.ollama_embeddings,
        OllamaPromptRequest,
        OllamaPromptResponse,
        needs_index=False,
        fails=(404,),
    ),
    Operation(
        "GET",
        "/api/tags",
        "Names under which the model answers, for clients of Ollama",
        ollama.ollama_tags,
        NoRequest,
        OllamaTagsResponse,
        source=RequestSource.NOTHING,
        needs_index=False,
    ),
    Operation(
        "GET",
        "/api/version",
        "The version of konayuki, for clients of Ollama",
        ollama.ollama_version,
        NoRequest,
        OllamaVersionResponse,
        source=RequestSource.NOTHING,
        needs_index=False,
    ),
    Operation(
        "POST", "/search", "Hits for a question", searching.search, SearchRequest, SearchResponse
    ),
    Operation(
        "GET",
        "/search",
        "Hits for a question in the URL",
        searching.search,
        SearchRequest,
        SearchResponse,
        source=RequestSource.QUERY,
        variant="_by_url",
    ),
    Operation(
        "GET",
        "/suggest",
        "How a query may go on",
        searching.suggest,
        SuggestRequest,
        SuggestResponse,
        source=RequestSource.QUERY,
    ),
    Operation(
        "GET",
        "/similar",
        "What is like a passage",
        searching.similar,
        SimilarRequest,
        SimilarResponse,
        source=RequestSource.QUERY,
    ),
    Operation(
        "GET",
        "/context",
        "The passages before and behind one",
        searching.context,
        ContextRequest,
        ContextResponse,
        source=RequestSource.QUERY,
    ),
    Operation(
        "POST",
        "/mark",
        "Texts with the words of a query marked",
        searching.mark,
        MarkRequest,
        MarkResponse,
        needs_index=False,
    ),
    Operation(
        "POST",
        "/documents",
        "Store documents; an existing one with the same id is replaced",
        api.add_documents,
        DocumentsRequest,
        DocumentsResponse,
        writes=True,
        takes_lines=True,
    ),
    Operation(
        "GET",
        "/documents/{id}",
        "A stored document",
        api.get_document,
        DocumentKey,
        DocumentResponse,
        source=RequestSource.PATH,
        tagged=True,
    ),
    Operation(
        "DELETE",
        "/documents/{id}",
        "Remove a document and the passages cut from it",
        api.delete_document,
        DocumentKey,
        DeletedResponse,
        source=RequestSource.PATH,
        writes=True,
    ),
    Operation(
        "POST",
        "/open",
        "Open the file of a passage on the machine of the server, if it was started for that",
        api.open_source,
        OpenRequest,
        OpenedResponse,
        fails=(403, 404),
    ),
    Operation(
        "PUT",
        "/files/{name}",
        f"Store the passages of a file ({kinds_in_words()})",
        api.add_file,
        FileUpload,
        DocumentsResponse,
        source=RequestSource.FILE,
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
        source=RequestSource.NOTHING,
        needs_index=False,
    ),
    Operation(
        "GET",
        "/health",
        "Whether the process answers",
        api.health,
        NoRequest,
        HealthResponse,
        source=RequestSource.NOTHING,
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
        source=RequestSource.NOTHING,
        needs_index=False,
        public=True,
    ),
)
