"""The MCP server: what an agent needs of an index, as tools over stdio."""

import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError

import konayuki
from konayuki.choices import Sort
from konayuki.errors import KonayukiError
from konayuki.search import Document, Hit, Index, Mode, Query, snippet
from konayuki.serving import api
from konayuki.serving.budget import LEAST_TOKENS, Passage, Passages, fit, heading_of, shorten
from konayuki.serving.engine import Engine
from konayuki.serving.problems import Problem, problem_of
from konayuki.serving.schemas import (
    DocumentRecord,
    DocumentsRequest,
    DocumentsResponse,
    Filter,
    SearchRequest,
    SimilarityRequest,
    SimilarityResponse,
)
from konayuki.serving.snippets import SHOWN_CHARACTERS

INSTRUCTIONS = (
    "Search over documents of the user, mostly Japanese. Ask in the language of the documents; "
    "a whole question finds more than keywords. Hits are excerpts: `get` reads on from their id. "
    "Cite hits by their id, and say so if nothing relevant is found."
)
TEXTS_AT_ONCE = 64  # vectors fill the context of an agent quickly
_LONGEST_EXCERPT = 1200
_DOUBTFUL = 0.1  # a best hit below this relevance rarely answers the question
_FILES_AT_ONCE = 1000

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
    server = MCPServer(
        "konayuki", instructions=INSTRUCTIONS, version=konayuki.__version__, log_level="WARNING"
    )
    _add_search_tools(server, engine)
    _add_index_tools(server, engine)
    _add_model_tools(server, engine)
    if engine.writable:
        _add_writing_tool(server, engine)
    return server


def _add_search_tools(server: MCPServer, engine: Engine) -> None:
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
            Sort, Field(description="Order of the hits; date: newest first.")
        ] = "score",
        plain: Annotated[bool, Field(description="Take the query as text only.")] = False,
    ) -> Annotated[CallToolResult, Passages]:
        """Find passages of the user's documents that answer a question, best first."""
        with reported():
            request = SearchRequest(query=query, k=k, mode=mode, where=where)
            parsed = Query(query) if plain else Query.parse(query)
            hits = engine.open_index().search(
                parsed,
                k=k,
                mode=mode,
                where=request.where,
                min_relevance=min_relevance,
                sort=sort,
            )
        return as_result(excerpts(parsed.text, hits, max_tokens))

    @server.tool(annotations=_READS)
    def get(
        id: Annotated[str, Field(description="Id of a hit.")],
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
        index = engine.index
        return Status(
            documents=None if index is None else len(index),
            files=None if index is None else len(file_paths(index)),
            writable=engine.writable,
            model=f"{engine.names[0]}, {engine.model.dim} dimensions",
            version=konayuki.__version__,
        )


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
    return CallToolResult(content=content, structured_content=answer.model_dump(mode="json"))


def excerpts(query: str, hits: Sequence[Hit], max_tokens: int) -> Passages:
    """Return the part of each hit that answers a question, within a budget."""

    def as_passage(hit: Hit, width: int) -> Passage:
        text = snippet(hit.text[:SHOWN_CHARACTERS], query, width - 2).text
        return Passage(
            id=hit.id,
            text=text,
            title=heading_of(hit.title),
            heading=heading_of(hit.heading),
            relevance=relevance_of(hit),
            cut=text != hit.text,
        )

    longest = min(_LONGEST_EXCERPT, max((len(hit.text) for hit in hits), default=0) + 2)
    note = verdict(hits)
    return fit(hits, as_passage, max_tokens=max_tokens, longest=max(longest, 32), note=note)


def verdict(hits: Sequence[Hit]) -> str:
    """Return what an agent should know before it believes the hits."""
    if not hits:
        return "Nothing relevant: no passage matches. Say so, or ask in other words."
    best = relevance_of(hits[0])
    if best is not None and best < _DOUBTFUL:
        return f"Probably nothing relevant: the best hit has relevance {best:.2f} of 1."
    return ""


def relevance_of(hit: Hit) -> float | None:
    """Return how relevant a hit is, from 0 to 1, if its ranker says so."""
    return getattr(hit, "relevance", None)


def around(index: Index, identity: str, neighbours: int) -> list[Document]:
    """Return a document, and after it the passages before and behind it in the same file.

    Raises:
        Problem: There is no such document.
    """
    document = index.get(identity) or index.get(f"{identity}#0")
    if document is None:
        raise Problem(404, "document_not_found", f"there is no document {identity!r}")
    near = [index.get(f"{document.chunk_of}#{document.position + n}") for n in _steps(neighbours)]
    return [document, *(passage for passage in near if passage is not None)]


def _steps(n: int) -> list[int]:
    """Return -1, 1, -2, 2, … up to n, so that the nearest passages come first."""
    return [step for distance in range(1, n + 1) for step in (-distance, distance)]


def in_full(documents: Sequence[Document], start: int, max_tokens: int) -> Passages:
    """Return whole passages in the order of their document, or what a budget leaves of them."""

    def as_passage(document: Document, width: int) -> Passage:
        whole = document.text[start:] if document is documents[0] else document.text
        return Passage(
            id=document.id,
            text=shorten(whole, width),
            title=heading_of(document.title),
            heading=heading_of(document.heading),
            cut=len(whole) > width,
        )

    longest = max(32, *(len(document.text) for document in documents))
    answer = fit(documents, as_passage, max_tokens=max_tokens, longest=longest)
    order = {document.id: document.position for document in documents}
    hits = sorted(answer.hits, key=lambda passage: order[passage.id])
    return answer.model_copy(update={"hits": hits})


def file_paths(index: Index) -> list[str]:
    """Return the paths of the files whose passages an index holds."""
    return sorted(path for path in index.values("path") if isinstance(path, str))


_ESCAPE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair: one character
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"  # half of one
    rb"|(\\.)"
)


def replace_lone_surrogates(line: bytes) -> bytes:
    r"""Return a line of JSON with U+FFFD for each half of a character, which is not text.

    The MCP package drops a line with `"\ud800"` in it, and the agent waits for ever.
    """
    return _ESCAPE.sub(lambda escape: escape[1] or escape[2] or rb"\ufffd", line)


def clean_stdin() -> None:
    """Put a thread that replaces lone surrogates between standard input and this process."""
    source = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    reading, writing = os.pipe()
    os.dup2(reading, sys.stdin.fileno())
    os.close(reading)

    def copy() -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            for line in source:
                sink.write(replace_lone_surrogates(line))

    threading.Thread(target=copy, daemon=True, name="stdin").start()
