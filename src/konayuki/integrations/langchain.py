"""konayuki for LangChain: embeddings, and a retriever over an Index.

from konayuki import Index
from konayuki.integrations.langchain import KonayukiEmbeddings, KonayukiRetriever, as_records

vectors = KonayukiEmbeddings(dim=256).embed_documents(["富士山は高い"])
index = Index.create("notes.konayuki")
index.add(as_records(documents))
answers = KonayukiRetriever(index=index, k=5).invoke("一番高い山は？")
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from konayuki.choices import Mode
from konayuki.extras import require
from konayuki.integrations.conversion import metadata_of, record_of
from konayuki.integrations.models import ModelLike, model_of
from konayuki.search import Hit, Index

require("langchain_core", "langchain")

from langchain_core.callbacks import (  # noqa: E402 - after the gate
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document  # noqa: E402
from langchain_core.embeddings import Embeddings  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402


class KonayukiEmbeddings(Embeddings):
    """A model as LangChain's `Embeddings`.

    Args:
        model: A model, its folder or its hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions.
    """

    def __init__(self, model: ModelLike = None, *, dim: int | None = None) -> None:
        self.model = model_of(model)
        self.dim = dim

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit vector per text; an empty text gives zeros."""
        vectors: list[list[float]] = self.model.encode(texts, dim=self.dim).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of a question: questions and documents are encoded alike."""
        vector: list[float] = self.model.encode(text, dim=self.dim).tolist()
        return vector


class KonayukiRetriever(BaseRetriever):
    """The best passages of an Index; `invoke` takes the same options, as in `k=3`.

    Attributes:
        index: An open Index.
        k: Number of passages.
        mode: "hybrid", "dense" or "lexical".
        where: Metadata that a passage must have, as in `Index.search`.
    """

    index: Index
    k: int = 10
    mode: Mode = "hybrid"
    where: Mapping[str, Any] | None = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun | None = None,
        k: int | None = None,
        mode: Mode | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Return documents, best first.

        `metadata["relevance_score"]` is the relevance of a hit (0 to 1), or its score without one.
        """
        hits = self.index.search(
            query,
            k=self.k if k is None else k,
            mode=self.mode if mode is None else mode,
            where=self.where if where is None else where,
        )
        return [
            Document(
                id=hit.id,
                page_content=hit.text,
                metadata={**metadata_of(hit), "relevance_score": relevance_of(hit)},
            )
            for hit in hits
        ]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun | None = None,
        k: int | None = None,
        mode: Mode | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Do the same on a thread; LangChain's own version would not pass the options on."""
        search = partial(self._get_relevant_documents, query, k=k, mode=mode, where=where)
        return await asyncio.to_thread(search)


def as_records(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Yield the records that `Index.add` takes; a document without an id gets one of its text."""
    for document in documents:
        yield record_of(document.page_content, document.metadata, document.id)


def relevance_of(hit: Hit) -> float:
    """Return the relevance of a hit, or its score in modes that give no relevance."""
    return hit.score if hit.relevance is None else hit.relevance
