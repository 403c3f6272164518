"""konayuki for LlamaIndex: an embedding model, a vector store and a retriever over an Index.

from konayuki import Index
from konayuki.integrations.llama_index import KonayukiEmbedding, KonayukiRetriever, as_records
from llama_index.core import Settings

Settings.embed_model = KonayukiEmbedding(dim=256)
index = Index.create("notes.konayuki")
index.add(as_records(nodes))
answers = KonayukiRetriever(index, k=5).retrieve("一番高い山は？")

store = KonayukiVectorStore(index)
VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store))
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from konayuki.choices import Mode
from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.integrations.conversion import metadata_of, record_of
from konayuki.integrations.models import model_of, name_of
from konayuki.model import StaticModel
from konayuki.search import Document, Hit, Index

require("llama_index.core", "llama-index")

from llama_index.core.base.base_retriever import BaseRetriever  # noqa: E402 - after the gate
from llama_index.core.bridge.pydantic import Field, PrivateAttr, field_serializer  # noqa: E402
from llama_index.core.embeddings import BaseEmbedding  # noqa: E402
from llama_index.core.schema import (  # noqa: E402
    BaseNode,
    MetadataMode,
    NodeWithScore,
    QueryBundle,
    TextNode,
)
from llama_index.core.vector_stores.types import (  # noqa: E402
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import (  # noqa: E402
    metadata_dict_to_node,
    node_to_metadata_dict,
)

_SOURCE = "ref_doc_id"  # the key of the metadata that names the document of a node
_CONTENT = "_node_content"  # the key of the metadata that holds the rest of a node
_MODES: dict[VectorStoreQueryMode, Mode | None] = {
    VectorStoreQueryMode.DEFAULT: None,  # that of the store
    VectorStoreQueryMode.SPARSE: "lexical",
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
}


class KonayukiEmbedding(BaseEmbedding):
    """A model as LlamaIndex's `BaseEmbedding`; it serialises to the name of its model.

    Attributes:
        model: A model, its folder or its hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions.
    """

    model: StaticModel | str | None = None
    dim: int | None = None
    model_name: str = "konayuki"
    embed_batch_size: int = Field(default=1024, gt=0, le=2048)

    _model: StaticModel = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex keeps the component under."""
        return "KonayukiEmbedding"

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own signature
        """Load the model."""
        super().model_post_init(context)
        self._model = model_of(self.model)

    @field_serializer("model")
    def _name(self, model: StaticModel | str | None) -> str | None:
        """Return a name that loads the model again, or a unique name if it is only in memory.

        LlamaIndex uses it as a key of its caches and in its events, so it must not fail.
        """
        if isinstance(model, StaticModel) and model.source is None:
            return f"memory:{model.fingerprint}"
        return name_of(model)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.encode(texts, dim=self.dim).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embeddings([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)  # takes microseconds: a thread would cost more


class KonayukiRetriever(BaseRetriever):
    """The best passages of an Index.

    Args:
        index: An open Index.
        k: Number of passages.
        mode: "hybrid", "dense" or "lexical".
        where: Metadata that a passage must have, as in `Index.search`.
    """

    def __init__(
        self,
        index: Index,
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
    ) -> None:
        self._index = index
        self._k = k
        self._mode: Mode = mode
        self._where = where
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._index.search(
            query_bundle.query_str, k=self._k, mode=self._mode, where=self._where
        )
        return [
            NodeWithScore(
                node=TextNode(id_=hit.id, text=hit.text, metadata=metadata_of(hit)),
                score=hit.score,
            )
            for hit in hits
        ]


class KonayukiVectorStore(BasePydanticVectorStore):
    """An Index as LlamaIndex's vector store.

    The index makes its own vectors, of questions too, and searches by words and meaning; those that
    LlamaIndex made of nodes are not used. A search by a vector alone finds the nearest vectors.

    Args:
        index: An open Index.
        mode: "hybrid", "dense" or "lexical", for queries that ask for none.
    """

    stores_text: bool = True
    is_embedding_query: bool = False
    mode: Mode = "hybrid"

    _index: Index = PrivateAttr()

    def __init__(self, index: Index, *, mode: Mode = "hybrid") -> None:
        super().__init__(mode=mode)
        self._index = index

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex keeps the component under."""
        return "KonayukiVectorStore"

    @property
    def client(self) -> Index:
        """Return the index."""
        return self._index

    def add(self, nodes: Sequence[BaseNode], **_options: Any) -> list[str]:  # noqa: ANN401
        """Store nodes and return their ids; a node with an id that exists replaces it."""
        self._index.add(_record_of_node(node) for node in nodes)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_options: Any) -> None:  # noqa: ANN401 - their signature
        """Remove the nodes that were made of a document."""
        self._index.delete(self._index.ids({_SOURCE: ref_doc_id}), chunks=False)

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **_options: Any,  # noqa: ANN401 - their signature
    ) -> None:
        """Remove nodes by id, by metadata, or those of the ids that have the metadata."""
        self._index.delete([one.id for one in self._chosen(node_ids, filters)], chunks=False)

    def clear(self) -> None:
        """Remove all nodes."""
        self._index.delete([document.id for document in self._index.documents()], chunks=False)

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes by id, by metadata, or those of the ids that have the metadata."""
        return [_node_of(document) for document in self._chosen(node_ids, filters)]

    def query(self, query: VectorStoreQuery, **_options: Any) -> VectorStoreQueryResult:  # noqa: ANN401
        """Return the best nodes for a question or, without one, for a vector.

        Raises:
            InputError: The query asks for a mode or a filter that an Index does not have.
        """
        if query.mode not in _MODES:
            names = ", ".join(mode.value for mode in _MODES)
            raise InputError(f"mode is {query.mode.value!r}: expected one of {names}")
        where = as_where(query.filters) or {}
        if query.doc_ids:
            where[_SOURCE] = query.doc_ids
        n_wanted = query.similarity_top_k
        # An id is not metadata: those of other nodes are left out of a longer answer.
        k = len(self._index) if query.node_ids else n_wanted
        if query.query_str:
            mode = _MODES[query.mode] or self.mode
            hits = self._index.search(query.query_str, k, mode, where or None, distinct=False)
        elif query.query_embedding is not None:
            hits = self._index.nearest(query.query_embedding, k, where or None)
        else:
            raise InputError("the query has neither text nor vector: expected one of them")
        if query.node_ids:
            hits = [hit for hit in hits if hit.id in set(query.node_ids)][:n_wanted]
        return VectorStoreQueryResult(
            nodes=[_node_of(hit) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.id for hit in hits],
        )

    def _chosen(
        self, node_ids: list[str] | None, filters: MetadataFilters | None
    ) -> list[Document]:
        where = as_where(filters)
        keys = node_ids
        if where is not None:
            found = self._index.ids(where)
            keys = found if node_ids is None else [key for key in node_ids if key in set(found)]
        if keys is None:
            return list(self._index.documents())
        return [one for one in map(self._index.get, keys) if one is not None]


def as_records(nodes: Iterable[BaseNode]) -> Iterator[dict[str, Any]]:
    """Yield the records that `Index.add` takes, of documents or of nodes that a splitter made."""
    for node in nodes:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        yield record_of(text, node.metadata, node.node_id)


def as_where(filters: MetadataFilters | None) -> dict[str, Any] | None:
    """Return LlamaIndex's filters as `Index.search` takes them.

    Raises:
        InputError: An Index does not support a filter.
    """
    if filters is None or not filters.filters:
        return None
    joined: dict[str, Any] = {}
    supported = filters.condition in {None, FilterCondition.AND}
    for part in filters.filters if supported else ():
        if isinstance(part, MetadataFilters):
            where = as_where(part) or {}
        elif part.operator in {FilterOperator.EQ, FilterOperator.IN, FilterOperator.CONTAINS}:
            where = {part.key: part.value}
        else:
            supported = False
            break
        if repeated := joined.keys() & where.keys():
            raise InputError(f"filters ask twice for {sorted(repeated)[0]!r}: expected once")
        joined |= where
    if not supported:
        raise InputError(
            f"filters hold {filters.model_dump()!r}: expected `==`, `in` and `contains`, joined by "
            'AND\nhint: MetadataFilters(filters=[MetadataFilter(key="lang", value="ja")])'
        )
    return joined


def _record_of_node(node: BaseNode) -> dict[str, Any]:
    text = node.get_content(metadata_mode=MetadataMode.NONE)
    record = record_of(text, node.metadata, node.node_id)
    return {**record, "metadata": node_to_metadata_dict(node, remove_text=True)}


def _node_of(passage: Hit | Document) -> BaseNode:
    """Return a node as it was stored, or one of a passage that something else stored."""
    if _CONTENT in passage.metadata:
        return metadata_dict_to_node(dict(passage.metadata), text=passage.text)
    return TextNode(id_=passage.id, text=passage.text, metadata=metadata_of(passage))
