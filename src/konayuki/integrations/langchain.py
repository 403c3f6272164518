"""konayuki for LangChain: embeddings, a vector store, a retriever and a reranker.

from konayuki import Index
from konayuki.integrations.langchain import KonayukiEmbeddings, KonayukiRetriever, as_records
from konayuki.integrations.langchain import KonayukiReranker, KonayukiVectorStore

vectors = KonayukiEmbeddings(dim=256).embed_documents(["富士山は高い"])
index = Index.create("notes.konayuki")
index.add(as_records(documents))
answers = KonayukiRetriever(index=index, k=5).invoke("一番高い山は？")

store = KonayukiVectorStore(index)
store.add_documents(documents)
answers = store.similarity_search("一番高い山は？", k=5, filter={"lang": "ja"})
best = KonayukiReranker(top_n=3).compress_documents(answers, "一番高い山は？")
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np

from konayuki.choices import Mode
from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.integrations.conversion import metadata_of, record_of
from konayuki.integrations.models import ModelLike, model_of
from konayuki.model import StaticModel
from konayuki.search import Document as Passage
from konayuki.search import Hit, Index, rerank

require("langchain_core", "langchain")

from langchain_core.callbacks import (  # noqa: E402 - after the gate
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, Document  # noqa: E402
from langchain_core.embeddings import Embeddings  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.vectorstores import VectorStore  # noqa: E402
from langchain_core.vectorstores.utils import maximal_marginal_relevance  # noqa: E402
from pydantic import ConfigDict, PrivateAttr  # noqa: E402


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


class KonayukiReranker(BaseDocumentCompressor):
    """Puts documents of any retriever into the order in which they answer a question.

    Attributes:
        model: A model, its folder or its hub id; default: the bundled model.
        top_n: How many documents to keep; default: all.
        min_relevance: Leave out documents that are less relevant, from 0 to 1.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: StaticModel | str | PathLike[str] | None = None
    top_n: int | None = None
    min_relevance: float = 0.0

    _model: StaticModel = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own signature
        """Load the model."""
        super().model_post_init(context)
        self._model = model_of(self.model)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Any = None,  # noqa: ANN401
    ) -> list[Document]:
        """Return copies of documents, best first, with their `relevance_score` in the metadata."""
        documents = list(documents)
        texts = [_searched_text(document) for document in documents]
        return [
            documents[line.position].model_copy(
                update={
                    "metadata": {
                        **documents[line.position].metadata,
                        "relevance_score": line.relevance,
                    }
                }
            )
            for line in rerank(query, texts, model=self._model, k=self.top_n)
            if line.relevance >= self.min_relevance
        ]


class KonayukiVectorStore(VectorStore):
    """An Index as LangChain's `VectorStore`.

    It searches by words and meaning, not by vectors alone: that finds more. With "dense" as its
    mode it does as other stores. A `filter` is metadata that a document must have, as in
    `Index.search`.

    Args:
        index: An open Index.
        mode: "hybrid", "dense" or "lexical", for searches by a question.
    """

    def __init__(self, index: Index, *, mode: Mode = "hybrid") -> None:
        if not isinstance(index.model, StaticModel):
            raise InputError("the model of the index is of another kind: expected a StaticModel")
        self.index = index
        self.mode: Mode = mode
        self._model = index.model

    @property
    def embeddings(self) -> KonayukiEmbeddings:
        """Return the model of the index."""
        return KonayukiEmbeddings(self._model)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        path: str | PathLike[str],
        ids: list[str] | None = None,
        mode: Mode = "hybrid",
    ) -> "KonayukiVectorStore":
        """Make an index in a new folder, store texts in it and return it as a store.

        Args:
            texts: What to store.
            embedding: `KonayukiEmbeddings`; default: those of the bundled model.
            metadatas: Metadata of each text.
            path: The folder.
            ids: Key of each text; default: one that is made of its content.
            mode: See the class.

        Raises:
            InputError: The folder is not empty, or `embedding` is of another kind.
        """
        if embedding is not None and not isinstance(embedding, KonayukiEmbeddings):
            raise InputError(
                f"embedding is a {type(embedding).__name__}: expected KonayukiEmbeddings or None"
            )
        model = model_of(None if embedding is None else embedding.model)
        store = cls(Index.create(str(path), model), mode=mode)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Sequence[Mapping[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Store texts and return their ids; a text with an id that exists replaces it.

        Raises:
            InputError: There are more or fewer metadata or ids than texts.
        """
        texts = list(texts)
        for name, values in (("metadatas", metadatas), ("ids", ids)):
            if values is not None and len(values) != len(texts):
                raise InputError(f"{len(values)} {name}: expected {len(texts)}, one for each text")
        facts = metadatas or [{}] * len(texts)
        keys = ids or [None] * len(texts)
        records = [record_of(*line) for line in zip(texts, facts, keys, strict=True)]
        self.index.add(records)
        return [record["id"] for record in records]

    def add_documents(
        self, documents: list[Document], *, ids: Sequence[str | None] | None = None
    ) -> list[str]:
        """Store documents and return their ids; one with an id that exists replaces it."""
        return self.add_texts(
            [document.page_content for document in documents],
            [document.metadata for document in documents],
            ids=[document.id for document in documents] if ids is None else ids,
        )

    def delete(self, ids: list[str] | None = None) -> bool:
        """Remove documents by id, all of them without one; unknown ids count for nothing."""
        if ids is None:
            ids = [document.id for document in self.index.documents()]
        self.index.delete(ids, chunks=False)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the existing documents among these, in the order of the ids."""
        found = [self.index.get(identity) for identity in ids]
        return [_as_document(passage) for passage in found if passage is not None]

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Return the best documents for a question, best first."""
        return [_as_document(hit) for hit in self._hits(query, k, filter)]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,
    ) -> list[tuple[Document, float]]:
        """Return documents and scores that compare within one answer only; larger is better."""
        return [(_as_document(hit), hit.score) for hit in self._hits(query, k, filter)]

    def _similarity_search_with_relevance_scores(
        self,
        query: str,
        k: int = 4,
        filter: Mapping[str, Any] | None = None,
    ) -> list[tuple[Document, float]]:
        """Return documents and their relevance, 0 to 1; in mode "dense" made of the cosine."""
        return [(_as_document(hit), _from_0_to_1(hit)) for hit in self._hits(query, k, filter)]

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Return the documents with the nearest vectors, best first."""
        return [_as_document(hit) for hit in self.index.nearest(embedding, k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Return `k` of the best `fetch_k` documents that differ from each other.

        Args:
            query: A question or a few words.
            k: How many documents.
            fetch_k: How many to choose from.
            lambda_mult: From 0, as different as possible, to 1, the best.
            filter: Metadata that a document must have.
        """
        vector = self._model.encode(query).tolist()
        return self._diverse(vector, self._hits(query, fetch_k, filter), k, lambda_mult)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Return `k` of the nearest `fetch_k` documents that differ from each other."""
        hits = self.index.nearest(embedding, fetch_k, filter)
        return self._diverse(embedding, hits, k, lambda_mult)

    def _hits(self, query: str, k: int, where: Mapping[str, Any] | None) -> list[Hit]:
        return self.index.search(query, k=k, mode=self.mode, where=where, distinct=False)

    def _diverse(
        self, vector: Sequence[float], hits: Sequence[Hit], k: int, share: float
    ) -> list[Document]:
        if not hits:
            return []
        vectors = self._model.encode([hit.text for hit in hits])
        question = np.asarray(vector, dtype=np.float32)
        chosen = maximal_marginal_relevance(question, list(vectors), lambda_mult=share, k=k)
        return [_as_document(hits[place]) for place in chosen]


def as_records(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Yield the records that `Index.add` takes; a document without an id gets one of its text."""
    for document in documents:
        yield record_of(document.page_content, document.metadata, document.id)


def relevance_of(hit: Hit) -> float:
    """Return the relevance of a hit, or its score in modes that give no relevance."""
    return hit.score if hit.relevance is None else hit.relevance


def _from_0_to_1(hit: Hit) -> float:
    if hit.relevance is not None:
        return hit.relevance
    return (1 + hit.dense) / 2 if hit.dense is not None else hit.score / (1 + hit.score)


def _as_document(passage: Hit | Passage) -> Document:
    return Document(id=passage.id, page_content=passage.text, metadata=metadata_of(passage))


def _searched_text(document: Document) -> str:
    title = document.metadata.get("title")
    return f"{title}\n{document.page_content}" if isinstance(title, str) else document.page_content
