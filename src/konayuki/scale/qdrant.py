"""Qdrant: passages into a collection, and hybrid questions that its server answers alone."""

import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from konayuki.errors import InputError, ModelMismatchError, NotFoundError
from konayuki.extras import require
from konayuki.model import StaticModel
from konayuki.progress import track
from konayuki.scale.passages import Passage, Passages
from konayuki.scale.sparse import Lengths, SparseVector, document_vector, lengths_of, query_vector
from konayuki.search.prepared import prepared

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

Quantization = Literal["int8", "binary", "none"]
Fusion = Literal["sum", "rrf"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
DENSE, SPARSE = "dense", "bm25"
DEPTH = 100  # candidates of each half
SUM_WEIGHT = 0.018  # by the rule of docs/explanation/search.md, for a sum without coverage
_BATCH = 256
_NAMESPACE = uuid.UUID("5f0a4c5e-0d0e-5c1b-9a63-6b6f6e617975")


@dataclass(frozen=True)
class QdrantHit:
    """One answer.

    Attributes:
        id: the user's key.
        score: what the hits are ordered by; of reciprocal ranks or the sum, see `search`.
        text: the passage.
        title: of its document.
        metadata: what was stored with it.
    """

    id: str
    score: float
    text: str
    title: str
    metadata: Mapping[str, Any]


def connect(address: str, api_key: str | None = None) -> "QdrantClient":
    """Return a client of a server (`http://host:6333`), a folder, or `:memory:`.

    A folder and `:memory:` are the client's own local mode, which runs the same calls without a
    server; it looks at every point, so it is for tests and for some ten thousand passages.
    """
    client: type[QdrantClient] = require("qdrant_client", "qdrant").QdrantClient
    if address == ":memory:":
        return client(location=address)
    if "://" in address:
        return client(url=address, api_key=api_key)
    return client(path=address)


def push(
    client: "QdrantClient",
    collection: str,
    passages: Passages,
    *,
    quantization: Quantization = "int8",
    filters: Sequence[str] = (),
    recreate: bool = False,
    show_progress: bool = False,
) -> int:
    """Copy passages into a collection, made unless it is there; return their number.

    A point holds a dense vector, a sparse vector of BM25 without the IDF, which the server knows,
    and the passage. Points are keyed by the passage's id: pushing again replaces them.

    Args:
        client: from `connect`, or your own.
        collection: name of the collection.
        passages: from `open_passages`.
        quantization: what the server keeps of the dense vectors in memory: one byte or one bit a
            dimension, with the vectors themselves on disk to score the best again; or "none".
        filters: keys of the metadata to index for filters, as "lang" or "year:integer"; others
            can be filtered by too, slowly.
        recreate: remove a collection of this name first.
        show_progress: draw a bar where stderr is a terminal.

    Raises:
        InputError: an unknown quantisation, or a collection of another model is there.
    """
    if quantization not in QUANTIZATIONS:
        known = ", ".join(QUANTIZATIONS)
        raise InputError(f"quantization is {quantization!r}: expected one of {known}")
    if recreate and client.collection_exists(collection):
        client.delete_collection(collection)
    if not client.collection_exists(collection):
        facts: dict[str, Any] = {"fingerprint": passages.fingerprint, "dim": passages.dim}
        facts |= asdict(lengths_of(passages.texts()))
        _create(client, collection, facts, quantization)
    noted = facts_of(client, collection)
    if (noted["fingerprint"], noted["dim"]) != (passages.fingerprint, passages.dim):
        raise InputError(
            f"collection {collection!r} holds {noted['dim']} dimensions of model "
            f"{noted['fingerprint']}: expected {passages.dim} of {passages.fingerprint}\n"
            "hint: name another one, or replace it with --recreate"
        )
    for key in filters:
        _index_filter(client, collection, key)
    lengths = Lengths(noted["grams"], noted["characters"])
    shown = track(passages, "push", total=len(passages), unit="point", enabled=show_progress)
    return _upload(client, collection, shown, lengths)


class QdrantSearch:
    """Hybrid search over a collection that `push` made.

    Args:
        client: from `connect`, or your own.
        collection: its name.
        model: what the passages were embedded with; the bundled model unless given.

    Raises:
        NotFoundError: there is no such collection.
        ModelMismatchError: it was made with another model.
    """

    def __init__(
        self, client: "QdrantClient", collection: str, model: StaticModel | None = None
    ) -> None:
        if not client.collection_exists(collection):
            raise NotFoundError(
                f"no collection {collection!r}\nhint: konayuki push-qdrant INDEX URL {collection}"
            )
        facts = facts_of(client, collection)
        self._model = StaticModel.load() if model is None else model
        self._dim = int(facts["dim"])
        known = facts["fingerprint"]
        if known and known != self._model.fingerprint:
            raise ModelMismatchError(
                f"collection {collection!r} was made with model {known}, "
                f"not with {self._model.fingerprint}"
            )
        self._client = client
        self._collection = collection

    def search(
        self,
        query: str,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        *,
        fusion: Fusion = "sum",
    ) -> list[QdrantHit]:
        """Return the best `k` passages, best first; the server does all of it in one request.

        Args:
            query: a question or a few words; an empty one finds nothing.
            k: how many hits at most.
            where: metadata that a hit must have, as in `Index.search`.
            fusion: "sum" orders by cosine + `SUM_WEIGHT` * BM25. `Index.search` also multiplies
                by how much of the question a passage holds; that takes the IDF of every term of
                the question, which the server keeps to itself. "rrf" orders by reciprocal ranks,
                which needs less of the server (1.10 instead of 1.14) and of its time.

        Raises:
            InputError: an argument cannot be used.
        """
        if fusion not in FUSIONS:
            raise InputError(f"fusion is {fusion!r}: expected one of {', '.join(FUSIONS)}")
        if not isinstance(k, int) or k < 0:
            raise InputError(f"k is {k!r}: expected a whole number from 0")
        query = prepared(query)
        if k == 0 or not query.strip():
            return []
        request = (_summed if fusion == "sum" else _by_ranks)(*self._halves(query, k), k)
        found = self._client.query_points(
            self._collection, query_filter=filter_of(where), limit=k, with_payload=True, **request
        )
        hits = [_hit(point) for point in found.points]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))

    def _halves(self, query: str, k: int) -> tuple[Any, Any]:
        """Return what each half looks for, with as many candidates as the index takes."""
        models = _models()
        again = models.QuantizationSearchParams(rescore=True, oversampling=2.0)
        depth = max(DEPTH, 2 * k)
        dense = models.Prefetch(
            query=self._model.encode([query], dim=self._dim)[0].tolist(),
            using=DENSE,
            limit=depth,
            params=models.SearchParams(quantization=again),
        )
        words = _as_model(query_vector(query))
        return dense, models.Prefetch(query=words, using=SPARSE, limit=depth)


def filter_of(where: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - of an optional package
    """Return a filter by metadata as the server takes it, None without conditions.

    Raises:
        InputError: a value that cannot be filtered by.
    """
    if not where:
        return None
    models = _models()
    conditions = []
    for key, value in where.items():
        values = list(value) if isinstance(value, list | tuple | set) else [value]
        if not all(isinstance(item, str | int | float) for item in values):
            raise InputError(f"filter {key!r} is {value!r}: expected strings, numbers or booleans")
        either = [_condition(models, f"metadata.{key}", item) for item in values]
        conditions.append(models.Filter(should=either))
    return models.Filter(must=conditions)


def facts_of(client: "QdrantClient", collection: str) -> dict[str, Any]:
    """Return what `push` noted in a collection.

    Raises:
        InputError: it was not made by `push`.
    """
    noted = (client.get_collection(collection).config.metadata or {}).get("konayuki")
    if not noted:
        raise InputError(
            f"collection {collection!r} was not made by konayuki: expected one with its notes\n"
            "hint: name another one; qdrant servers keep notes from 1.16 on"
        )
    return dict(noted)


def _create(
    client: "QdrantClient", collection: str, facts: dict[str, Any], quantization: Quantization
) -> None:
    models = _models()
    dense = models.VectorParams(
        size=facts["dim"],
        distance=models.Distance.COSINE,
        on_disk=quantization != "none",
        quantization_config=_quantization(quantization),
    )
    client.create_collection(
        collection,
        vectors_config={DENSE: dense},
        sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        metadata={"konayuki": facts},
    )


def _quantization(kind: Quantization) -> Any:  # noqa: ANN401 - of an optional package
    models = _models()
    if kind == "int8":
        scalar = models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, quantile=0.99, always_ram=True
        )
        return models.ScalarQuantization(scalar=scalar)
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None


def _upload(
    client: "QdrantClient",
    collection: str,
    passages: Iterable[Passage],
    lengths: Lengths,
) -> int:
    n_points = 0

    def points() -> Iterator[Any]:
        nonlocal n_points
        for passage in passages:
            n_points += 1
            yield _point(passage, lengths)

    client.upload_points(collection, points(), batch_size=_BATCH, max_retries=3, wait=True)
    return n_points


def _point(passage: Passage, lengths: Lengths) -> Any:  # noqa: ANN401 - of an optional package
    models = _models()
    words = _as_model(document_vector(passage.searched_text, lengths))
    payload = {"id": passage.id, "text": passage.text, "title": passage.title}
    return models.PointStruct(
        id=str(uuid.uuid5(_NAMESPACE, passage.id)),
        vector={DENSE: passage.vector.tolist(), SPARSE: words},
        payload={**payload, "metadata": dict(passage.metadata)},
    )


def _summed(dense: Any, words: Any, k: int) -> dict[str, Any]:  # noqa: ANN401 - of the client
    """Return a request for cosine + SUM_WEIGHT * BM25 of every candidate of either half.

    Each half scores the candidates of both: a prefetch over prefetches is a rescoring.
    """
    models = _models()
    limit = 2 * max(DEPTH, 2 * k)
    both = [
        models.Prefetch(prefetch=[dense, words], query=half.query, using=half.using, limit=limit)
        for half in (dense, words)
    ]
    weighted = models.MultExpression(mult=[SUM_WEIGHT, "$score[1]"])
    formula = models.FormulaQuery(
        formula=models.SumExpression(sum=["$score[0]", weighted]),
        defaults={"$score[0]": 0.0, "$score[1]": 0.0},
    )
    return {"prefetch": both, "query": formula}


def _by_ranks(dense: Any, words: Any, _k: int) -> dict[str, Any]:  # noqa: ANN401 - of the client
    models = _models()
    return {
        "prefetch": [dense, words],
        "query": models.FusionQuery(fusion=models.Fusion.RRF),
    }


def _condition(models: Any, key: str, value: str | float) -> Any:  # noqa: ANN401 - of the client
    if isinstance(value, float):
        return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _index_filter(client: "QdrantClient", collection: str, entry: str) -> None:
    key, _, kind = entry.partition(":")
    kinds = {item.value: item for item in _models().PayloadSchemaType}
    if (kind or "keyword") not in kinds:
        raise InputError(f"filter {entry!r}: expected KEY or KEY:KIND of {', '.join(kinds)}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect")  # in local mode
        client.create_payload_index(collection, f"metadata.{key}", kinds[kind or "keyword"])


def _as_model(vector: SparseVector) -> Any:  # noqa: ANN401 - of an optional package
    return _models().SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())


def _hit(point: Any) -> QdrantHit:  # noqa: ANN401 - of an optional package
    payload = point.payload
    return QdrantHit(
        payload["id"], point.score, payload["text"], payload["title"], payload["metadata"]
    )


def _models() -> Any:  # noqa: ANN401 - of an optional package
    return require("qdrant_client.models", "qdrant")
