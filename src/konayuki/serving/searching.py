"""Searching without a socket: an engine and a question in, hits out."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from konayuki.errors import NotFoundError
from konayuki.search import Hit, Query, by_file, place_of
from konayuki.search.dates import date_of
from konayuki.search.files import GROUPED_HITS, HOPELESS
from konayuki.search.suggestions import Source
from konayuki.serving.engine import Engine
from konayuki.serving.problems import Problem
from konayuki.serving.schemas import (
    HITS_AT_ONCE,
    QUERY_CHARACTERS,
    Filter,
    HitResponse,
    Identity,
    Request,
    Response,
    SearchRequest,
    SearchResponse,
    Segment,
    Text,
    Verdict,
    Whole,
)
from konayuki.serving.snippets import Segments, Snippets

DOUBTFUL = 0.05  # a best hit of less relevance is rarely an answer
_OTHERS_SHOWN = 5  # of a file, if hits are put together


class SuggestRequest(Request):
    """What was typed so far."""

    query: str = Field(max_length=QUERY_CHARACTERS, description="What was typed so far.")
    k: Whole = Field(default=8, ge=1, le=50, description="How many suggestions at most.")


class SimilarRequest(Request):
    """A passage that others should be like."""

    id: Identity = Field(description="Id of a hit.")
    k: Whole = Field(default=10, ge=1, le=HITS_AT_ONCE, description="How many hits at most.")
    where: Filter | None = Field(
        default=None, description="Metadata that a hit must have; a list means any of its values."
    )


class ContextRequest(Request):
    """A passage whose neighbours are wanted."""

    id: Identity = Field(description="Id of a hit.")
    n: Whole = Field(default=1, ge=1, le=20, description="How many before it and behind it.")
    query: str = Field(default="", max_length=QUERY_CHARACTERS, description="Its words are marked.")


class MarkRequest(Request):
    """Texts in which the words of a query are to be marked."""

    query: str = Field(max_length=QUERY_CHARACTERS, description="As for a search.")
    texts: list[Text] = Field(min_length=1, max_length=HITS_AT_ONCE)
    plain: bool = Field(default=False, description="Whether the query is text, see `/search`.")


@dataclass(frozen=True)
class SuggestionResponse(Response):
    """A query that what was typed may become, and where its end comes from."""

    text: str
    source: Source


@dataclass(frozen=True)
class SuggestResponse(Response):
    """How the query may go on, the likeliest first."""

    suggestions: list[SuggestionResponse]


@dataclass(frozen=True)
class SimilarResponse(Response):
    """What is most like the passage, best first; other passages of its document are left out."""

    hits: list[HitResponse]


@dataclass(frozen=True)
class Neighbour(Response):
    """A passage of the same document."""

    id: str
    heading: str
    position: int
    text: Annotated[list[Segment], Field(description="The whole text, in pieces.")]


@dataclass(frozen=True)
class ContextResponse(Response):
    """The passages around one, in the order of their document."""

    before: list[Neighbour]
    behind: list[Neighbour]


@dataclass(frozen=True)
class MarkResponse(Response):
    """Each text in pieces."""

    texts: Annotated[list[list[Segment]], "One list of pieces for each text."]


def search(engine: Engine, request: SearchRequest) -> SearchResponse:
    """Return the hits for a query.

    Raises:
        InputError: A value cannot be used together with the others.
        Problem: This server has no index.
    """
    started = time.perf_counter()
    query = Query(request.query) if request.plain else Query.parse(request.query)
    hits = engine.open_index().search(
        query,
        k=GROUPED_HITS if request.by_file else request.k,
        mode=request.mode,
        where=request.where,
        min_relevance=request.min_relevance,
        sort=request.sort,
    )
    snippets = Snippets(query.text)
    if request.by_file:
        files = by_file(hits)[: request.k]
        responses = _as_responses([best for best, _ in files], snippets)
        for response, (_, others) in zip(responses, files, strict=True):
            response.more = len(others)
            response.others = _as_responses(others[:_OTHERS_SHOWN], snippets)
    else:
        responses = _as_responses(hits, snippets)
    took_ms = round((time.perf_counter() - started) * 1000, 3)
    return SearchResponse(request.query, request.mode, took_ms, responses, verdict(hits))


def verdict(hits: list[Hit]) -> Verdict:
    """Return whether anything that was found is likely to be an answer."""
    if not hits:
        return "nothing"
    best = max((1.0 if hit.relevance is None else hit.relevance) for hit in hits)
    return "nothing" if best < HOPELESS else "doubtful" if best < DOUBTFUL else "relevant"


def similar(engine: Engine, request: SimilarRequest) -> SimilarResponse:
    """Return the passages that are most like another one.

    Raises:
        Problem: There is no such document, or this server has no index.
    """
    try:
        hits = engine.open_index().similar(request.id, request.k, request.where)
    except NotFoundError as error:
        raise Problem(404, "document_not_found", str(error), param="id") from error
    return SimilarResponse(_as_responses(hits, Snippets("")))


def suggest(engine: Engine, request: SuggestRequest) -> SuggestResponse:
    """Return how a query may go on.

    Raises:
        Problem: This server has no index.
    """
    suggestions = engine.open_index().suggest(request.query, request.k)
    return SuggestResponse([SuggestionResponse(*suggestion) for suggestion in suggestions])


def context(engine: Engine, request: ContextRequest) -> ContextResponse:
    """Return the passages before and behind another one in its document.

    Raises:
        Problem: There is no such passage, or this server has no index.
    """
    index = engine.open_index()
    passage = index.get(request.id)
    if passage is None:
        raise Problem(404, "document_not_found", f"there is no document {request.id!r}", param="id")
    snippets = Snippets(Query.parse(request.query).text)

    def neighbours(steps: Iterable[int]) -> list[Neighbour]:
        positions = [passage.position + step for step in steps]
        found = [index.get(f"{passage.chunk_of}#{position}") for position in positions]
        others = [
            other
            for other in found
            if other is not None and other.chunk_of == passage.chunk_of is not None
        ]
        texts = snippets.marked([other.text for other in others])
        return [
            Neighbour(other.id, other.heading, other.position, text)
            for other, text in zip(others, texts, strict=True)
        ]

    return ContextResponse(neighbours(range(-request.n, 0)), neighbours(range(1, request.n + 1)))


def mark(engine: Engine, request: MarkRequest) -> MarkResponse:
    """Return texts in pieces, with the words of a query marked."""
    query = Query(request.query) if request.plain else Query.parse(request.query)
    snippets = Snippets(query.text)
    return MarkResponse(snippets.marked(request.texts))


def _as_responses(hits: Sequence[Hit], snippets: Snippets) -> list[HitResponse]:
    """Return hits as clients get them; their texts are looked at together, which is faster."""
    titles = snippets.marked([hit.title for hit in hits])
    texts = snippets.segments([hit.text for hit in hits])
    return [_as_response(*line) for line in zip(hits, titles, texts, strict=True)]


def _as_response(hit: Hit, title: Segments, text: Segments) -> HitResponse:
    day = date_of(hit.metadata)
    return HitResponse(
        id=hit.id,
        score=hit.score,
        relevance=hit.relevance,
        lexical=hit.lexical,
        dense=hit.dense,
        parts=hit.parts,
        title=hit.title,
        heading=hit.heading,
        text=hit.text,
        metadata=hit.metadata,
        document=hit.document,
        position=hit.position,
        place=place_of(hit),
        date=day.isoformat() if day else None,
        title_pieces=title,
        snippet=text,
    )
