"""konayuki for LlamaIndex: an embedding model, and a retriever over an Index.

from konayuki import Index
from konayuki.integrations.llama_index import KonayukiEmbedding, KonayukiRetriever, as_records
from llama_index.core import Settings

Settings.embed_model = KonayukiEmbedding(dim=256)
index = Index.create("notes.konayuki")
index.add(as_records(nodes))
answers = KonayukiRetriever(index, k=5).retrieve("一番高い山は？")
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from konayuki.choices import Mode
from konayuki.extras import require
from konayuki.integrations.conversion import metadata_of, record_of
from konayuki.integrations.models import model_of, name_of
from konayuki.model import StaticModel
from konayuki.search import Index

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


def as_records(nodes: Iterable[BaseNode]) -> Iterator[dict[str, Any]]:
    """Yield the records that `Index.add` takes, of documents or of nodes that a splitter made."""
    for node in nodes:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        yield record_of(text, node.metadata, node.node_id)
