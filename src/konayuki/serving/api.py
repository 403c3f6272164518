"""What the service does, without a socket: an engine and a request in, a response out."""

import base64
import re
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import konayuki
from konayuki.search import Hit
from konayuki.search.snippet import Snippet, snippet
from konayuki.serving.engine import Engine
from konayuki.serving.files import records_of, replace_file
from konayuki.serving.problems import Problem
from konayuki.serving.schemas import (
    DeletedResponse,
    DocumentKey,
    DocumentResponse,
    DocumentsRequest,
    DocumentsResponse,
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    FileUpload,
    HealthResponse,
    HitResponse,
    InfoResponse,
    Model,
    ModelsResponse,
    NoRequest,
    ReadyResponse,
    SearchRequest,
    SearchResponse,
    Segment,
    SimilarityRequest,
    SimilarityResponse,
    Usage,
)

_HIRAGANA = re.compile("[\u3041-\u3096\u30fc\\s]+")
_ENDING = re.compile("[\u3041-\u3096]{1,3}")
SNIPPET_CHARACTERS = 160
SHOWN_CHARACTERS = 10_000  # a snippet comes from the beginning of a passage that is longer


def embeddings(engine: Engine, request: EmbeddingsRequest) -> EmbeddingsResponse:
    """Return the vectors of texts.

    Raises:
        Problem: the model has another name.
        DimensionError: it has fewer dimensions.
    """
    if request.model not in engine.names:
        raise Problem(
            404,
            "model_not_found",
            f"no model {request.model!r}: this server has {', '.join(engine.names)}\n"
            "hint: konayuki serve --alias NAME answers under further names",
            param="model",
        )
    texts = [request.input] if isinstance(request.input, str) else request.input
    vectors, n_tokens = engine.encode(texts, request.dimensions)
    coded = _base64 if request.encoding_format == "base64" else _as_it_is
    data = [Embedding(index=i, embedding=coded(vector)) for i, vector in enumerate(vectors)]
    usage = Usage(prompt_tokens=n_tokens, total_tokens=n_tokens)
    return EmbeddingsResponse(data=data, model=request.model, usage=usage)


def models(engine: Engine, _: NoRequest) -> ModelsResponse:
    """Return the names under which the model answers."""
    return ModelsResponse(data=[Model(id=name) for name in engine.names])


def search(engine: Engine, request: SearchRequest) -> SearchResponse:
    """Return the hits for a query.

    Raises:
        Problem: there is no index.
    """
    started = time.perf_counter()
    index = engine.searched()
    hits = index.search(request.query, k=request.k, mode=request.mode, where=request.where)
    return SearchResponse(
        query=request.query,
        mode=request.mode,
        hits=[_hit(hit, request.query) for hit in hits],
        took_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def add_documents(engine: Engine, request: DocumentsRequest) -> DocumentsResponse:
    """Store documents, each in place of the one with its id.

    Raises:
        Problem: there is no index, or it is not to be changed.
    """
    records = [record.model_dump() for record in request.documents]
    stored = engine.write(lambda index: index.add(records))
    return DocumentsResponse(stored=stored, documents=len(engine.searched()))


def get_document(engine: Engine, request: DocumentKey) -> DocumentResponse:
    """Return a document by its id.

    Raises:
        Problem: there is none.
    """
    document = engine.searched().get(request.id)
    if document is None:
        raise _no_document(request.id)
    return DocumentResponse(
        id=document.id,
        text=document.text,
        title=document.title,
        heading=document.heading,
        metadata=dict(document.metadata),
        chunk_of=document.chunk_of,
        position=document.position,
    )


def delete_document(engine: Engine, request: DocumentKey) -> DeletedResponse:
    """Remove a document and the passages cut from it.

    Raises:
        Problem: there is none, or the index is not to be changed.
    """
    deleted = engine.write(lambda index: index.delete([request.id]))
    if not deleted:
        raise _no_document(request.id)
    return DeletedResponse(deleted=deleted, documents=len(engine.searched()))


def add_file(engine: Engine, request: FileUpload) -> DocumentsResponse:
    """Store the passages of a text file, in place of those it had before.

    Raises:
        InputError: the file cannot be read as what its name says.
        Problem: there is no index, or it is not to be changed.
    """
    records = list(records_of(request.content, request.name))
    stored = engine.write(lambda index: replace_file(index, request.name, records))
    return DocumentsResponse(stored=stored, documents=len(engine.searched()))


def similarity(engine: Engine, request: SimilarityRequest) -> SimilarityResponse:
    """Return the cosine of each pair of sentences."""
    vectors = engine.model.encode(request.sentences)
    others = vectors if request.others is None else engine.model.encode(request.others)
    cosines = np.clip(engine.model.similarity(vectors, others), -1.0, 1.0)
    return SimilarityResponse(similarity=cosines.tolist())


def health(_engine: Engine, _: NoRequest) -> HealthResponse:
    """Say that the process answers."""
    return HealthResponse()


def ready(engine: Engine, _: NoRequest) -> ReadyResponse:
    """Say that requests can be answered, after a look at the index."""
    if engine.index is not None:
        len(engine.index)
    return ReadyResponse()


def info(engine: Engine, _: NoRequest) -> InfoResponse:
    """Say what is being served."""
    return InfoResponse(
        version=konayuki.__version__,
        model=engine.names[0],
        dim=engine.model.dim,
        documents=None if engine.index is None else len(engine.index),
        writable=engine.writable,
    )


def _hit(hit: Hit, query: str) -> HitResponse:
    return HitResponse(
        id=hit.id,
        score=hit.score,
        lexical=hit.lexical,
        dense=hit.dense,
        title=hit.title,
        heading=hit.heading,
        text=hit.text,
        metadata=dict(hit.metadata),
        document=hit.document,
        position=hit.position,
        snippet=list(
            _segments(snippet(hit.text[:SHOWN_CHARACTERS], query, SNIPPET_CHARACTERS), query)
        ),
    )


def _segments(part: Snippet, query: str) -> Iterator[Segment]:
    """Yield the pieces of a snippet, so that no client has to count characters as we do."""
    place = 0
    for start, end in _telling(part, query):
        if place < start:
            yield Segment(text=part.text[place:start], match=False)
        yield Segment(text=part.text[start:end], match=True)
        place = end
    if place < len(part.text):
        yield Segment(text=part.text[place:], match=False)


def _telling(part: Snippet, query: str) -> list[tuple[int, int]]:
    """Return the spans worth marking: short runs of hiragana are endings of words.

    A query that is nothing but hiragana has words of them.
    """
    if _HIRAGANA.fullmatch(query):
        return part.spans
    return [span for span in part.spans if not _ENDING.fullmatch(part.text, *span)]


def _no_document(identity: str) -> Problem:
    return Problem(404, "document_not_found", f"no document {identity!r}", param="id")


def _as_it_is(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")
