"""The MCP server: what an agent needs of an index, as tools and resources."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.server.mcpserver.resources.templates import ResourceSecurity
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError

import konayuki
from konayuki.choices import Sort
from konayuki.errors import KonayukiError
from konayuki.search import FileHits, Mode, Query, by_file
from konayuki.search.files import GROUPED_HITS
from konayuki.serving import api
from konayuki.serving.answers import around, excerpts, file_paths, in_full
from konayuki.serving.budget import LEAST_TOKENS, Passages
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
    "a whole question finds more than keywords. Hits are excerpts: `get` reads on from their id. "
    "Cite hits by their id, and say so if nothing relevant is found."
)
TEXTS_AT_ONCE = 64  # vectors fill the context of an agent quickly
_FILES_AT_ONCE = 1000
_OFFSET = 200

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
MaxTokens = Annotated[
    int,
    Field(ge=LEAST_TOKENS, le=100_000, description="Longest answer, in estimated tokens."),
]


class Vectors(BaseModel):
    """One unit vector per text."""

    vectors: list[list[float]]


class Files(BaseModel):
    """Paths of indexed files, sorted."""

    paths: list[str]
    more: int = Field(default=0, description="Paths that were left out.")


class Status(BaseModel):
    """What is being searched."""

    documents: int | None
    files: int | None
    writable: bool
    model: str
    version: str


def build_agent(engine: Engine) -> MCPServer:
    """Return the MCP server; a read-only index has no tool that writes.

    Examples:
        >>> import asyncio
        >>> from konayuki.serving import Engine
        >>> agent = build_agent(Engine(model, index=index, read_only=True))
        >>> sorted(tool.name for tool in asyncio.run(agent.list_tools()))
        ['embed', 'get', 'list_files', 'search', 'similarity', 'status']
    """
    with _logging_as_it_is():
        server = MCPServer(
            "konayuki", instructions=INSTRUCTIONS, version=konayuki.__version__, log_level="WARNING"
        )
    _add_search_tool(server, engine)
    _add_reading_tool(server, engine)
    _add_index_tools(server, engine)
    _add_model_tools(server, engine)
    _add_resources(server, engine)
    if engine.writable:
        _add_writing_tool(server, engine)
    return server


@contextmanager
def _logging_as_it_is() -> Iterator[None]:
    """Keep the handlers and the level of the root logger.

    The package `mcp` sets up logging with `rich`, which opens files of its own when the first
    traceback is shown: a server that had run out of files ended by that.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _add_search_tool(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_READS)
    def search(
        query: Annotated[
            str,
            Field(
                description='A question or a few words. May hold "exact phrase", -word, tag:X, '
                "path:X, kind:pdf, after:2024-04 and before:2024-04-30; anything else is text."
            ),
        ],
        k: Annotated[int, Field(ge=1, le=50, description="How many passages at most.")] = 5,
        max_tokens: MaxTokens = 2000,
        offset: Annotated[
            int, Field(ge=0, le=_OFFSET, description="Hits to skip, to read on in the answer.")
        ] = 0,
        mode: Annotated[
            Mode, Field(description="By words and meaning, by meaning, by words.")
        ] = "hybrid",
        where: Annotated[
            Filter | None,
            Field(description="Metadata that a hit must have; a list means any of its values."),
        ] = None,
        min_relevance: Annotated[
            float, Field(ge=0, le=1, description="Leave out less relevant hits; in mode hybrid.")
        ] = 0.0,
        sort: Annotated[
            Sort, Field(description="Order of the hits; date: the newest of all that match first.")
        ] = "score",
        plain: Annotated[bool, Field(description="Take the query as text only.")] = False,
        group_by_file: Annotated[
            bool, Field(description="Show only the best passage of each file.")
        ] = False,
    ) -> Annotated[CallToolResult, Passages]:
        """Find passages of the user's documents that answer a question, best first."""
        with reported():
            request = SearchRequest(query=query, k=k, mode=mode, where=where)
            parsed = Query(query) if plain else Query.parse(query)
            hits = engine.open_index().search(
                parsed,
                k=GROUPED_HITS if group_by_file else offset + k,
                mode=mode,
                where=request.where,
                min_relevance=min_relevance,
                sort=sort,
            )
        groups = by_file(hits) if group_by_file else [FileHits(hit, []) for hit in hits]
        return as_result(excerpts(parsed.text, groups[offset : offset + k], max_tokens))


def _add_reading_tool(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_READS)
    def get(
        id: Annotated[
            str,
            Field(description="Id of a hit, or its place: notes.md:40, notes.md:40-80, a.pdf p.12"),
        ],
        neighbours: Annotated[
            int, Field(ge=0, le=20, description="Passages before and after it to read too.")
        ] = 0,
        start: Annotated[
            int, Field(ge=0, description="Characters to skip, to read on in a long passage.")
        ] = 0,
        max_tokens: MaxTokens = 2000,
    ) -> Annotated[CallToolResult, Passages]:
        """Read a passage whole, and those around it in its document."""
        with reported():
            documents = around(engine.open_index(), id, neighbours)
        return as_result(in_full(documents, start, max_tokens))


def _add_index_tools(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_READS)
    def list_files(
        contains: Annotated[str, Field(description="Text that the path must contain.")] = "",
        limit: Annotated[int, Field(ge=1, le=_FILES_AT_ONCE)] = 100,
    ) -> Files:
        """List the files that were indexed; the path is the metadata `path` of their passages."""
        with reported():
            paths = [path for path in file_paths(engine.open_index()) if contains in path]
        return Files(paths=paths[:limit], more=max(0, len(paths) - limit))

    @server.tool(annotations=_READS)
    def status() -> Status:
        """Say what is being searched: how many documents and files, by which model."""
        return status_of(engine)


def _add_model_tools(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_READS)
    def embed(
        texts: Annotated[list[str], Field(min_length=1, max_length=TEXTS_AT_ONCE)],
        dimensions: Annotated[
            int | None, Field(ge=1, description="Keep only the first N dimensions.")
        ] = None,
    ) -> Vectors:
        """Turn texts into unit vectors; their dot product says how close they are in meaning."""
        with reported():
            vectors = engine.model.encode(texts, dim=dimensions)
        return Vectors(vectors=vectors.tolist())

    @server.tool(annotations=_READS)
    def similarity(
        sentences: Annotated[list[str], Field(min_length=1, max_length=TEXTS_AT_ONCE)],
        others: Annotated[
            list[str] | None, Field(description="Compare with these instead of with each other.")
        ] = None,
    ) -> SimilarityResponse:
        """Say how close sentences are in meaning: cosines from -1 to 1."""
        with reported():
            return api.similarity(engine, SimilarityRequest(sentences=sentences, others=others))


def _add_resources(server: MCPServer, engine: Engine) -> None:
    @server.resource(
        "konayuki://documents/{+id}",
        name="document",
        description="A passage whole, by the id of a hit.",
        mime_type="text/plain",
        # An id is a key of the index: no file is opened under it.
        security=ResourceSecurity(exempt_params={"id"}),
    )
    def document(id: str) -> str:
        try:
            [passage] = around(engine.open_index(), id, 0)
        except KonayukiError as error:
            raise ResourceNotFoundError(str(error)) from error
        return passage.text

    @server.resource(
        "konayuki://status", name="status", description="What is being searched.",
        mime_type="application/json",
    )  # fmt: skip
    def status_resource() -> str:
        return status_of(engine).model_dump_json()


def status_of(engine: Engine) -> Status:
    """Return what is being searched."""
    index = engine.index
    return Status(
        documents=None if index is None else len(index),
        files=None if index is None else len(file_paths(index)),
        writable=engine.writable,
        model=f"{engine.names[0]}, {engine.model.dim} dimensions",
        version=konayuki.__version__,
    )


def _add_writing_tool(server: MCPServer, engine: Engine) -> None:
    @server.tool(annotations=_WRITES)
    def add(documents: list[DocumentRecord]) -> DocumentsResponse:
        """Store documents so that later searches find them; an existing id is replaced."""
        with reported():
            return api.add_documents(engine, DocumentsRequest(documents=documents))


@contextmanager
def reported() -> Iterator[None]:
    """Tell the agent in words what is wrong."""
    try:
        yield
    except (KonayukiError, ValidationError) as error:
        raise ToolError(str(problem_of(error))) from error


def as_result(answer: Passages) -> CallToolResult:
    """Return passages as text for the agent and as data for its program."""
    content: list[Any] = [TextContent(type="text", text=answer.as_text())]
    return CallToolResult(content=content, structured_content=json.loads(answer.as_json()))
