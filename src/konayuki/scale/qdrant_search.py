"""Hybrid search that a Qdrant server does on its own, in one request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from konayuki.errors import InputError, ModelMismatchError, NotFoundError
from konayuki.model import StaticModel
from konayuki.scale.qdrant import DENSE, SPARSE, as_client_vector, client_models, facts_of
from konayuki.scale.sparse import query_vector
from konayuki.search.prepared import prepared

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

Fusion = Literal["sum", "rrf"]
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
DEPTH = 100  # candidates of each half
SUM_WEIGHT = 0.018  # by the rule of docs/explanation/search.md, for a sum without coverage


@dataclass(frozen=True)
class QdrantHit:
    """One hit.

    Attributes:
        id: The user's key.
        score: What the hits are ordered by: the sum or the reciprocal ranks, see `search`.
        text: The passage.
        title: Title of its document.
        metadata: The metadata stored with it.

    Examples:
        >>> from konayuki.scale import connect, open_passages, push
        >>> client = connect(":memory:")
        >>> push(client, "notes", open_passages("notes.konayuki"))
        3
        >>> from konayuki.scale import QdrantSearch
        >>> hit = QdrantSearch(client, "notes").search("いちばん大きな湖", k=1)[0]
        >>> hit.title, hit.metadata["kind"]
        ('琵琶湖', '湖')
        >>> client.close()
    """

    id: str
    score: float
    text: str
    title: str
    metadata: Mapping[str, Any]


class QdrantSearch:
    """Hybrid search over a collection that `push` filled.

    Args:
        client: From `connect`, or your own.
        collection: Name of the collection.
        model: The model that embedded the passages; default: the bundled model.

    Raises:
        NotFoundError: The collection does not exist.
        ModelMismatchError: The collection was filled with another model.

    Examples:
        >>> from konayuki.scale import connect, open_passages, push
        >>> client = connect(":memory:")
        >>> push(client, "notes", open_passages("notes.konayuki"))
        3
        >>> QdrantSearch(client, "notes").search("いちばん大きな湖", k=1)[0].id
        'biwa'
        >>> client.close()
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
        fingerprint = facts["fingerprint"]
        if fingerprint and fingerprint != self._model.fingerprint:
            raise ModelMismatchError(
                f"collection {collection!r} was made with model {fingerprint}, "
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
            query: A question or a few words; an empty one finds nothing.
            k: How many hits at most.
            where: Metadata that a hit must have, as in `Index.search`.
            fusion: "sum" orders by cosine + `SUM_WEIGHT` * BM25. `Index.search` also multiplies
                by how much of the question a passage holds; that takes the IDF of every term of
                the question, which the server keeps to itself. "rrf" orders by reciprocal ranks,
                which an older server (1.10 instead of 1.14) can do, in less time.

        Raises:
            InputError: An argument cannot be used.

        Examples:
            >>> from konayuki.scale import connect, open_passages, push
            >>> client = connect(":memory:")
            >>> push(client, "notes", open_passages("notes.konayuki"))
            3
            >>> search = QdrantSearch(client, "notes")
            >>> hits = search.search("日本でいちばん", where={"kind": "山"}, fusion="rrf")
            >>> [hit.id for hit in hits]
            ['fuji']
            >>> client.close()
        """
        if fusion not in FUSIONS:
            raise InputError(f"fusion is {fusion!r}: expected one of {', '.join(FUSIONS)}")
        if not isinstance(k, int) or k < 0:
            raise InputError(f"k is {k!r}: expected a whole number from 0")
        query = prepared(query)
        if k == 0 or not query.strip():
            return []
        depth = max(DEPTH, 2 * k)
        halves = self._halves(query, depth)
        request = _summed(*halves, depth) if fusion == "sum" else _by_ranks(*halves)
        response = self._client.query_points(
            self._collection, query_filter=filter_of(where), limit=k, with_payload=True, **request
        )
        hits = [_hit(point) for point in response.points]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))

    def _halves(self, query: str, depth: int) -> tuple[Any, Any]:
        """Return what each half looks for, with `depth` candidates."""
        models = client_models()
        # Twice the candidates by their quantised form, rescored by the vectors on disk.
        rescoring = models.QuantizationSearchParams(rescore=True, oversampling=2.0)
        dense = models.Prefetch(
            query=self._model.encode([query], dim=self._dim)[0].tolist(),
            using=DENSE,
            limit=depth,
            params=models.SearchParams(quantization=rescoring),
        )
        words = as_client_vector(query_vector(query))
        return dense, models.Prefetch(query=words, using=SPARSE, limit=depth)


def filter_of(where: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - of an optional package
    """Return a filter by metadata as the server takes it, None without conditions.

    Raises:
        InputError: A value cannot be filtered by.
    """
    if not where:
        return None
    models = client_models()
    conditions = []
    for key, value in where.items():
        values = list(value) if isinstance(value, list | tuple | set) else [value]
        if not all(isinstance(item, str | int | float) for item in values):
            raise InputError(f"filter {key!r} is {value!r}: expected strings, numbers or booleans")
        either = [_condition(models, f"metadata.{key}", item) for item in values]
        conditions.append(models.Filter(should=either))
    return models.Filter(must=conditions)


def _summed(dense: Any, words: Any, depth: int) -> dict[str, Any]:  # noqa: ANN401 - of the client
    """Return a request for cosine + SUM_WEIGHT * BM25 of every candidate of either half.

    Each half scores the candidates of both: a prefetch over prefetches is a rescoring.
    """
    models = client_models()
    both = [
        models.Prefetch(
            prefetch=[dense, words], query=half.query, using=half.using, limit=2 * depth
        )
        for half in (dense, words)
    ]
    weighted = models.MultExpression(mult=[SUM_WEIGHT, "$score[1]"])
    formula = models.FormulaQuery(
        formula=models.SumExpression(sum=["$score[0]", weighted]),
        defaults={"$score[0]": 0.0, "$score[1]": 0.0},
    )
    return {"prefetch": both, "query": formula}


def _by_ranks(dense: Any, words: Any) -> dict[str, Any]:  # noqa: ANN401 - of the client
    models = client_models()
    return {
        "prefetch": [dense, words],
        "query": models.FusionQuery(fusion=models.Fusion.RRF),
    }


def _condition(models: Any, key: str, value: str | float) -> Any:  # noqa: ANN401 - of the client
    if isinstance(value, float):  # the server matches no floats, but ranges of one value
        return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _hit(point: Any) -> QdrantHit:  # noqa: ANN401 - of an optional package
    payload = point.payload
    return QdrantHit(
        payload["id"], point.score, payload["text"], payload["title"], payload["metadata"]
    )
