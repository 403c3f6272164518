"""What the service does, without a socket: an engine and a request in, a response out."""

import base64

import numpy as np

import konayuki
from konayuki.errors import KonayukiError
from konayuki.ingest.opening import open_file
from konayuki.ingest.places import file_of
from konayuki.serving.engine import Engine
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
    InfoResponse,
    Model,
    ModelsResponse,
    NoRequest,
    OpenedResponse,
    OpenRequest,
    ReadyResponse,
    SimilarityRequest,
    SimilarityResponse,
    Usage,
)
from konayuki.serving.uploads import records_of_upload


def check_model(engine: Engine, name: str) -> None:
    """Refuse a name that is not one of the model, if `--strict-model` is set.

    Clients have the name of the model that they were written for in their settings, and there is
    one model here: so any name is answered, and the answer repeats it.

    Raises:
        Problem: The model has another name.
    """
    if engine.strict_model and name not in engine.names:
        raise Problem(
            404,
            "model_not_found",
            f"model {name!r}: expected {' or '.join(engine.names)}\n"
            "hint: konayuki serve --alias NAME adds a name; without --strict-model any is accepted",
            param="model",
        )


def embeddings(engine: Engine, request: EmbeddingsRequest) -> EmbeddingsResponse:
    """Return the vectors of texts.

    Raises:
        Problem: `--strict-model` is set and the model has another name.
        DimensionError: The model has fewer dimensions.
    """
    check_model(engine, request.model)
    texts = [request.input] if isinstance(request.input, str) else request.input
    vectors, n_tokens = engine.encode(texts, request.dimensions)
    if request.encoding_format == "base64":
        coded = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
        data = [Embedding(number, vector) for number, vector in enumerate(coded)]
    else:
        data = [Embedding(number, vector) for number, vector in enumerate(vectors)]
    return EmbeddingsResponse(data, request.model, Usage(n_tokens, n_tokens))


def models(engine: Engine, _: NoRequest) -> ModelsResponse:
    """Return the names of the model."""
    return ModelsResponse([Model(name) for name in engine.names])


def add_documents(engine: Engine, request: DocumentsRequest) -> DocumentsResponse:
    """Store documents, each in place of an existing one with its id: all of them or none.

    Raises:
        InputError: A document cannot be stored.
        Problem: This server has no index, or does not change it.
    """
    records = [record.model_dump() for record in request.documents]
    with engine.writer() as index:
        stored = index.add(records, atomic=True)
    return DocumentsResponse(stored, len(engine.open_index()))


def get_document(engine: Engine, request: DocumentKey) -> DocumentResponse:
    """Return a document by its id.

    Raises:
        Problem: There is no such document.
    """
    document = engine.open_index().get(request.id)
    if document is None:
        raise _unknown_document(request.id)
    return DocumentResponse(
        id=document.id,
        text=document.text,
        title=document.title,
        heading=document.heading,
        metadata=document.metadata,
        chunk_of=document.chunk_of,
        position=document.position,
    )


def open_source(engine: Engine, request: OpenRequest) -> OpenedResponse:
    """Open the file that a passage comes from with the program of this machine for it.

    Raises:
        Problem: This server opens no files, there is no such document, or its file is gone or
            cannot be opened.
    """
    if not engine.opens_files:
        raise Problem(
            403, "opens_no_files", "this server opens no files\nhint: konayuki serve --open-files"
        )
    index = engine.open_index()
    document = index.get(request.id)
    if document is None:
        raise _unknown_document(request.id)
    try:
        path = file_of(index, document.metadata)
        open_file(path)
    except KonayukiError as error:
        message = f"the file of the passage cannot be opened: {error}"
        raise Problem(404, "no_file", message) from error
    return OpenedResponse(str(path))


def delete_document(engine: Engine, request: DocumentKey) -> DeletedResponse:
    """Remove a document and the passages cut from it.

    Raises:
        Problem: There is no such document, or this server does not change its index.
    """
    with engine.writer() as index:
        deleted = index.delete([request.id])
    if not deleted:
        raise _unknown_document(request.id)
    return DeletedResponse(deleted, len(engine.open_index()))


def _unknown_document(identity: str) -> Problem:
    return Problem(404, "document_not_found", f"there is no document {identity!r}", param="id")


def add_file(engine: Engine, request: FileUpload) -> DocumentsResponse:
    """Store the passages of a file in place of those it had before: no search sees both.

    Raises:
        Problem: The file cannot be read as what its name says, or this server has no index or does
            not change it.
    """
    records = records_of_upload(request.content, request.name)
    with engine.writer() as index:
        stored = index.replace(records, where={"path": request.name}).stored
    return DocumentsResponse(stored, len(engine.open_index()))


def similarity(engine: Engine, request: SimilarityRequest) -> SimilarityResponse:
    """Return the cosine of each pair of sentences."""
    vectors = engine.model.encode(request.sentences)
    others = vectors if request.others is None else engine.model.encode(request.others)
    cosines = np.clip(engine.model.similarity(vectors, others), -1.0, 1.0)
    return SimilarityResponse(cosines.tolist())


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
        opens_files=engine.opens_files,
    )
