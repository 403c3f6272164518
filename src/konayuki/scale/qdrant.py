"""Passages into a collection of Qdrant."""

import uuid
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, get_args

from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.progress import track
from konayuki.scale.passages import EmbeddedPassage, PassageSource
from konayuki.scale.sparse import Lengths, SparseVector, document_vector, lengths_of

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

Quantization = Literal["int8", "binary", "none"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
DENSE, SPARSE = "dense", "bm25"
_BATCH = 256
_NAMESPACE = uuid.UUID("5f0a4c5e-0d0e-5c1b-9a63-6b6f6e617975")


def connect(address: str, api_key: str | None = None) -> "QdrantClient":
    """Return a client of a server (`http://host:6333`), a folder, or `:memory:`.

    A folder and `:memory:` are the client's own local mode, which runs the same calls without a
    server; it compares every point, so it is meant for tests and for some ten thousand passages.

    Examples:
        >>> client = connect(":memory:")
        >>> client.collection_exists("notes")
        False
        >>> client.close()
    """
    client: type[QdrantClient] = require("qdrant_client", "qdrant").QdrantClient
    if address == ":memory:":
        return client(location=address)
    if "://" in address:
        return client(url=address, api_key=api_key)
    return client(path=address)


class QdrantSink:
    """A collection that passages are copied to, created with the first of them.

    A point holds a dense vector, a sparse vector of BM25 without the IDF, which the server knows,
    and the passage. Points are keyed by the passage's id.

    Args:
        client: From `connect`, or your own.
        collection: Name of the collection.
        quantization: Form of the dense vectors in the server's memory: one byte or one bit per
            dimension, with the vectors themselves on disk to rescore the best; or "none".
        filters: Metadata keys to index for filters, as "lang" or "year:integer"; others can be
            filtered by too, slowly.
        recreate: Remove an existing collection of this name first.

    Raises:
        InputError: The quantisation is unknown.

    Examples:
        >>> from konayuki.scale import connect, open_passages
        >>> client = connect(":memory:")
        >>> sink = QdrantSink(client, "notes", quantization="none", filters=["kind"])
        >>> sink.write(open_passages("notes.konayuki"))
        3
        >>> client.close()
    """

    def __init__(
        self,
        client: "QdrantClient",
        collection: str,
        *,
        quantization: Quantization = "int8",
        filters: Sequence[str] = (),
        recreate: bool = False,
    ) -> None:
        if quantization not in QUANTIZATIONS:
            known = ", ".join(QUANTIZATIONS)
            raise InputError(f"quantization is {quantization!r}: expected one of {known}")
        self._client = client
        self._collection = collection
        self._quantization: Quantization = quantization
        self._filters = filters
        self._recreate = recreate

    def write(self, passages: PassageSource, *, show_progress: bool = False) -> int:
        """Store the passages, replace existing ones with the same ids, and return their number.

        Raises:
            InputError: The collection holds vectors of another model.

        Examples:
            >>> from konayuki.scale import connect, open_passages
            >>> client = connect(":memory:")
            >>> QdrantSink(client, "notes").write(open_passages("notes.konayuki"))
            3
            >>> client.close()
        """
        client, collection = self._client, self._collection
        if self._recreate and client.collection_exists(collection):
            client.delete_collection(collection)
        if not client.collection_exists(collection):
            self._create(passages)
        facts = facts_of(client, collection)
        if (facts["fingerprint"], facts["dim"]) != (passages.fingerprint, passages.dim):
            raise InputError(
                f"collection {collection!r} holds {facts['dim']} dimensions of model "
                f"{facts['fingerprint']}: expected {passages.dim} of {passages.fingerprint}\n"
                "hint: choose another name, or replace the collection with --recreate"
            )
        for key in self._filters:
            _index_filter(client, collection, key)
        tracked = track(passages, "push", total=len(passages), unit="point", enabled=show_progress)
        return self._upload(tracked, Lengths(facts["grams"], facts["characters"]))

    def _create(self, passages: PassageSource) -> None:
        models = client_models()
        facts: dict[str, Any] = {"fingerprint": passages.fingerprint, "dim": passages.dim}
        facts |= asdict(lengths_of(passages.texts()))
        dense = models.VectorParams(
            size=passages.dim,
            distance=models.Distance.COSINE,
            on_disk=self._quantization != "none",
            quantization_config=_quantization_config(self._quantization),
        )
        idf = models.SparseVectorParams(modifier=models.Modifier.IDF)
        self._client.create_collection(
            self._collection,
            vectors_config={DENSE: dense},
            sparse_vectors_config={SPARSE: idf},
            metadata={"konayuki": facts},
        )

    def _upload(self, passages: Iterable[EmbeddedPassage], lengths: Lengths) -> int:
        n_points = 0

        def points() -> Iterator[Any]:
            nonlocal n_points
            for passage in passages:
                n_points += 1
                yield _point(passage, lengths)

        self._client.upload_points(
            self._collection, points(), batch_size=_BATCH, max_retries=3, wait=True
        )
        return n_points


def push(
    client: "QdrantClient",
    collection: str,
    passages: PassageSource,
    *,
    quantization: Quantization = "int8",
    filters: Sequence[str] = (),
    recreate: bool = False,
    show_progress: bool = False,
) -> int:
    """Copy passages into a collection and return their number: `QdrantSink(...).write(passages)`.

    Args:
        client: From `connect`, or your own.
        collection: Name of the collection; it is created if it does not exist.
        passages: Passages with vectors, from `open_passages`.
        quantization: As in `QdrantSink`, like `filters` and `recreate`.
        filters: Metadata keys to index for filters.
        recreate: Remove an existing collection of this name first.
        show_progress: Draw a bar if stderr is a terminal.

    Raises:
        InputError: The quantisation is unknown, or the collection holds another model's vectors.

    Examples:
        >>> from konayuki.scale import connect, open_passages
        >>> client = connect(":memory:")
        >>> push(client, "notes", open_passages("notes.konayuki"))
        3
        >>> client.close()
    """
    sink = QdrantSink(
        client, collection, quantization=quantization, filters=filters, recreate=recreate
    )
    return sink.write(passages, show_progress=show_progress)


def facts_of(client: "QdrantClient", collection: str) -> dict[str, Any]:
    """Return what a collection says about its model and its texts.

    Raises:
        InputError: It was not created by `QdrantSink`.
    """
    facts = (client.get_collection(collection).config.metadata or {}).get("konayuki")
    if not facts:
        raise InputError(
            f"collection {collection!r} was not created by konayuki: expected its metadata\n"
            "hint: choose another name; Qdrant servers keep such metadata from version 1.16 on"
        )
    return dict(facts)


def as_client_vector(vector: SparseVector) -> Any:  # noqa: ANN401 - of an optional package
    """Return a sparse vector as the client takes it."""
    return client_models().SparseVector(
        indices=vector.indices.tolist(), values=vector.values.tolist()
    )


def client_models() -> Any:  # noqa: ANN401 - of an optional package
    """Return `qdrant_client.models`."""
    return require("qdrant_client.models", "qdrant")


def _quantization_config(kind: Quantization) -> Any:  # noqa: ANN401 - of an optional package
    models = client_models()
    if kind == "int8":
        scalar = models.ScalarQuantizationConfig(
            # The largest 1 % of the values are clipped, so that the others get finer steps.
            type=models.ScalarType.INT8,
            quantile=0.99,
            always_ram=True,
        )
        return models.ScalarQuantization(scalar=scalar)
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None


def _point(passage: EmbeddedPassage, lengths: Lengths) -> Any:  # noqa: ANN401 - of the client
    words = as_client_vector(document_vector(passage.searched_text, lengths))
    payload = {"id": passage.id, "text": passage.text, "title": passage.title}
    return client_models().PointStruct(
        id=str(uuid.uuid5(_NAMESPACE, passage.id)),
        vector={DENSE: passage.vector.tolist(), SPARSE: words},
        payload={**payload, "metadata": dict(passage.metadata)},
    )


def _index_filter(client: "QdrantClient", collection: str, entry: str) -> None:
    key, _, kind = entry.partition(":")
    kinds = {item.value: item for item in client_models().PayloadSchemaType}
    if (kind or "keyword") not in kinds:
        raise InputError(f"filter {entry!r}: expected KEY or KEY:KIND of {', '.join(kinds)}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect")  # in local mode
        client.create_payload_index(collection, f"metadata.{key}", kinds[kind or "keyword"])
