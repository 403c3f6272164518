"""The MCP server: what an agent needs of an index, as tools over stdio."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field, JsonValue, ValidationError

import konayuki
from konayuki.choices import Mode
from konayuki.errors import KonayukiError
from konayuki.serving import api
from konayuki.serving.engine import Engine
from konayuki.serving.problems import problem_of
from konayuki.serving.schemas import (
    DocumentRecord,
    DocumentsRequest,
    DocumentsResponse,
    Filter,
    SearchRequest,
    SimilarityRequest,
    SimilarityResponse,
)

INSTRUCTIONS = (
    "Search over documents of the user, mostly Japanese. Ask in the language of the documents; "
    "a whole question finds more than keywords. Cite hits by their id."
)
TEXTS_AT_ONCE = 64  # vectors fill the context of an agent quickly
Result = TypeVar("Result")

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)


class Passage(BaseModel):
    """A hit, without what only a screen needs."""

    id: str
    score: float
    title: str
    heading: str
    text: str
    metadata: dict[str, JsonValue]


class Passages(BaseModel):
    """Hits, best first."""

    hits: list[Passage]


class Vectors(BaseModel):
    """One unit vector per text."""

    vectors: list[list[float]]


def build_agent(engine: Engine) -> MCPServer:
    """Return the MCP server; the tool that writes is left out where the index is read-only."""
    server = MCPServer(
        "konayuki", instructions=INSTRUCTIONS, version=konayuki.__version__, log_level="WARNING"
    )
    _add_reading_tools(server, engine)
    if engine.writable:
        _add_writing_tool(server, engine)
    return server


def _add_reading_tools(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_READS)
    def search(
        query: Annotated[str, Field(description="A question or a few words.")],
        k: Annotated[int, Field(ge=1, le=50, description="How many passages.")] = 5,
        mode: Annotated[
            Mode, Field(description="By words and meaning, by meaning, by words.")
        ] = "hybrid",
        where: Annotated[
            Filter | None,
            Field(description="Metadata that a hit must have; a list means any of its values."),
        ] = None,
    ) -> Passages:
        """Find passages of the user's documents that answer a question."""
        request = _told(lambda: SearchRequest(query=query, k=k, mode=mode, where=where))
        hits = _told(lambda: api.search(engine, request)).hits
        return Passages(
            hits=[Passage(**{name: getattr(hit, name) for name in _SHOWN}) for hit in hits]
        )

    @server.tool(annotations=_READS)
    def embed(
        texts: Annotated[list[str], Field(min_length=1, max_length=TEXTS_AT_ONCE)],
        dimensions: Annotated[
            int | None, Field(ge=1, description="Keep the first so many dimensions.")
        ] = None,
    ) -> Vectors:
        """Turn texts into unit vectors; their dot product says how close they are in meaning."""
        vectors = _told(lambda: engine.model.encode(texts, dim=dimensions))
        return Vectors(vectors=vectors.tolist())

    @server.tool(annotations=_READS)
    def similarity(
        sentences: Annotated[list[str], Field(min_length=1, max_length=TEXTS_AT_ONCE)],
        others: Annotated[
            list[str] | None, Field(description="Compare with these instead of with each other.")
        ] = None,
    ) -> SimilarityResponse:
        """Say how close sentences are in meaning: cosines from -1 to 1."""
        request = _told(lambda: SimilarityRequest(sentences=sentences, others=others))
        return api.similarity(engine, request)


def _add_writing_tool(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_WRITES)
    def add(documents: list[DocumentRecord]) -> DocumentsResponse:
        """Store documents so that later searches find them; an id that is there is replaced."""
        request = _told(lambda: DocumentsRequest(documents=documents))
        return _told(lambda: api.add_documents(engine, request))


_SHOWN = set(Passage.model_fields)


def _told(call: Callable[[], Result]) -> Result:
    """Return the result, or tell the agent in words what was wrong."""
    try:
        return call()
    except (KonayukiError, ValidationError) as error:
        raise ToolError(str(problem_of(error))) from error
