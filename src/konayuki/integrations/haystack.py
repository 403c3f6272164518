"""konayuki for Haystack: embedders, a document store, a retriever and a ranker.

from haystack import Document, Pipeline
from konayuki.integrations.haystack import KonayukiDocumentEmbedder, KonayukiRetriever

embedded = KonayukiDocumentEmbedder(dim=256).run([Document(content="富士山は高い")])["documents"]
pipeline = Pipeline()
pipeline.add_component("retriever", KonayukiRetriever("notes.konayuki", top_k=5))
answers = pipeline.run({"retriever": {"query": "一番高い山は？"}})["retriever"]["documents"]

KonayukiDocumentStore("notes.konayuki").write_documents([Document(content="富士山は高い")])
best = KonayukiRanker(top_k=3).run("一番高い山は？", answers)["documents"]
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from os import PathLike
from typing import Any

from konayuki.choices import Mode
from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.integrations.conversion import metadata_of, record_of
from konayuki.integrations.models import ModelLike, model_of, name_of
from konayuki.model import StaticModel
from konayuki.search import Document as Passage
from konayuki.search import Hit, Index, rerank

require("haystack", "haystack")

from haystack import (  # noqa: E402 - after the gate
    Document,
    component,
    default_from_dict,
    default_to_dict,
)
from haystack.document_stores.errors import DuplicateDocumentError  # noqa: E402
from haystack.document_stores.types import DuplicatePolicy  # noqa: E402
from haystack.utils.filters import document_matches_filter  # noqa: E402


class _LazyModel:
    """A model that is loaded when it is first needed."""

    def __init__(self, model: ModelLike) -> None:
        self._model = model

    @cached_property
    def loaded(self) -> StaticModel:
        """Return the model."""
        return model_of(self._model)

    def vectors(self, texts: list[str], dim: int | None) -> list[list[float]]:
        """Return one unit vector per text; an empty text gives zeros."""
        vectors: list[list[float]] = self.loaded.encode(texts, dim=dim).tolist()
        return vectors


@component
class KonayukiTextEmbedder:
    """Turns a question into a vector, for an embedding retriever.

    Args:
        model: A model, its folder or its hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions.
    """

    def __init__(self, model: ModelLike = None, *, dim: int | None = None) -> None:
        self.model = model
        self.dim = dim
        self._lazy = _LazyModel(model)

    def warm_up(self) -> None:
        """Load the model; otherwise the first run loads it."""
        self._lazy.loaded  # noqa: B018 - reading it loads it

    def to_dict(self) -> dict[str, Any]:
        """Return the component as values that YAML can hold."""
        values: dict[str, Any] = default_to_dict(self, model=name_of(self.model), dim=self.dim)
        return values

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """Return the unit vector of a text under the key `embedding`."""
        if not isinstance(text, str):
            raise InputError(
                f"text is a {type(text).__name__}: expected a string\n"
                "hint: documents are for KonayukiDocumentEmbedder"
            )
        return {"embedding": self._lazy.vectors([text], self.dim)[0]}


@component
class KonayukiDocumentEmbedder:
    """Turns documents into documents with vectors, for a document store.

    Args:
        model: A model, its folder or its hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions.
        meta_fields_to_embed: Metadata to put before the content, such as a title.
        embedding_separator: Text between them.
    """

    def __init__(
        self,
        model: ModelLike = None,
        *,
        dim: int | None = None,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        self.model = model
        self.dim = dim
        self._lazy = _LazyModel(model)
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator

    def warm_up(self) -> None:
        """Load the model; otherwise the first run loads it."""
        self._lazy.loaded  # noqa: B018 - reading it loads it

    def to_dict(self) -> dict[str, Any]:
        """Return the component as values that YAML can hold."""
        values: dict[str, Any] = default_to_dict(
            self,
            model=name_of(self.model),
            dim=self.dim,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
        )
        return values

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Return copies of the documents with their unit vectors under the key `documents`."""
        if not isinstance(documents, list) or not all(
            isinstance(document, Document) for document in documents
        ):
            raise InputError(
                f"documents is {type(documents).__name__}: expected a list of haystack.Document\n"
                "hint: a text is for KonayukiTextEmbedder"
            )
        vectors = self._lazy.vectors([self._text(document) for document in documents], self.dim)
        return {
            "documents": [
                replace(document, embedding=vector)
                for document, vector in zip(documents, vectors, strict=True)
            ]
        }

    def _text(self, document: Document) -> str:
        fields = (document.meta.get(name) for name in self.meta_fields_to_embed)
        parts = [str(field) for field in fields if field is not None]
        return self.embedding_separator.join([*parts, document.content or ""])


@component
class KonayukiRetriever:
    """Finds the best passages of an Index: no document store is needed.

    Args:
        index: An open Index or its folder.
        model: The model that the index was made with; default: the bundled model.
        top_k: Number of passages.
        mode: "hybrid", "dense" or "lexical".
        filters: Metadata that a passage must have: Haystack's `==` and `in` on `meta.…`, joined
            by AND.
    """

    def __init__(
        self,
        index: Index | str | PathLike[str],
        *,
        model: ModelLike = None,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        self.index = index
        self.model = model
        self.top_k = top_k
        self.mode: Mode = mode
        self.filters = filters
        as_where(filters)  # a filter that cannot be used is an error here, not at the first run

    @cached_property
    def _opened(self) -> Index:
        if isinstance(self.index, Index):
            return self.index
        model = None if self.model is None else model_of(self.model)
        return Index.open(str(self.index), model)

    def warm_up(self) -> None:
        """Open the index; otherwise the first run opens it."""
        self._opened  # noqa: B018 - reading it opens it

    def to_dict(self) -> dict[str, Any]:
        """Return the component as values that YAML can hold."""
        values: dict[str, Any] = default_to_dict(
            self,
            index=self._opened.info()["path"] if isinstance(self.index, Index) else str(self.index),
            model=name_of(self.model),
            top_k=self.top_k,
            mode=self.mode,
            filters=None if self.filters is None else dict(self.filters),
        )
        return values

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """Return scored documents, best first, under the key `documents`.

        Args:
            query: A question or a few words.
            filters: Replaces the filters of the component.
            top_k: Replaces the `top_k` of the component.
        """
        hits = self._opened.search(
            query,
            k=self.top_k if top_k is None else top_k,
            mode=self.mode,
            where=as_where(self.filters if filters is None else filters),
        )
        return {"documents": [_as_document(hit, hit.score) for hit in hits]}


@component
class KonayukiRanker:
    """Puts documents of any retriever into the order in which they answer a question.

    Args:
        model: A model, its folder or its hub id; default: the bundled model.
        top_k: How many documents to keep; default: all.
        min_relevance: Leave out documents that are less relevant, from 0 to 1.
    """

    def __init__(
        self, model: ModelLike = None, *, top_k: int | None = None, min_relevance: float = 0.0
    ) -> None:
        self.model = model
        self.top_k = top_k
        self.min_relevance = min_relevance
        self._lazy = _LazyModel(model)

    def warm_up(self) -> None:
        """Load the model; otherwise the first run loads it."""
        self._lazy.loaded  # noqa: B018 - reading it loads it

    def to_dict(self) -> dict[str, Any]:
        """Return the component as values that YAML can hold."""
        values: dict[str, Any] = default_to_dict(
            self,
            model=name_of(self.model),
            top_k=self.top_k,
            min_relevance=self.min_relevance,
        )
        return values

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, Any]:
        """Return copies of documents, best first, under the key `documents`.

        Their score is their relevance, from 0 to 1.

        Args:
            query: A question or a few words.
            documents: What to order.
            top_k: Replaces the `top_k` of the component.
        """
        texts = [record_of(one.content or "", one.meta, one.id) for one in documents]
        ranked = rerank(
            query,
            ["\n".join(filter(None, (one["title"], one["text"]))) for one in texts],
            model=self._lazy.loaded,
            k=self.top_k if top_k is None else top_k,
        )
        return {
            "documents": [
                replace(documents[line.position], score=line.relevance)
                for line in ranked
                if line.relevance >= self.min_relevance
            ]
        }


class KonayukiDocumentStore:
    """An Index as Haystack's document store; `KonayukiRetriever(store.index)` searches it.

    The index makes its own vectors: embeddings of documents are not kept, and binary content
    is an error.

    Args:
        path: Folder of the index; it is made if it does not exist.
        model: The model of the index; default: the bundled model.
    """

    def __init__(self, path: str | PathLike[str], *, model: ModelLike = None) -> None:
        self.path = str(path)
        self.model = model

    @cached_property
    def index(self) -> Index:
        """Return the open index."""
        model = None if self.model is None else model_of(self.model)
        try:
            return Index.open(self.path, model)
        except NotFoundError:
            return Index.create(self.path, model)

    def to_dict(self) -> dict[str, Any]:
        """Return the store as values that YAML can hold."""
        values: dict[str, Any] = default_to_dict(self, path=self.path, model=name_of(self.model))
        return values

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "KonayukiDocumentStore":
        """Return the store that `to_dict` described."""
        store: KonayukiDocumentStore = default_from_dict(cls, data)
        return store

    def count_documents(self) -> int:
        """Return the number of documents."""
        return len(self.index)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that Haystack's filters match; every document is looked at."""
        documents = (_as_document(one) for one in self.index.documents())
        if not filters:
            return list(documents)
        return [one for one in documents if document_matches_filter(filters, one)]

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Store documents, all or none, and return how many were written.

        Args:
            documents: What to store.
            policy: What to do about ids that exist: OVERWRITE, SKIP or FAIL, the default.

        Raises:
            DuplicateDocumentError: An id exists, and the policy is FAIL or NONE.
            InputError: A document has binary content.
        """
        if not isinstance(documents, list) or not all(
            isinstance(document, Document) for document in documents
        ):
            raise InputError(
                f"documents is {type(documents).__name__}: expected a list of haystack.Document"
            )
        for document in documents:
            if document.blob is not None:
                raise InputError(f"document {document.id!r} has binary content: expected text")
        chosen = documents
        if policy is not DuplicatePolicy.OVERWRITE:
            present = {one.id for one in documents if one.id in self.index}
            if present and policy is not DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"ID {sorted(present)[0]!r} already exists.")
            chosen = [one for one in documents if one.id not in present]
        self.index.add(as_records(chosen), atomic=True)
        return len(chosen)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove documents by id; unknown ids count for nothing."""
        self.index.delete(document_ids, chunks=False)

    def delete_all_documents(self) -> None:
        """Remove all documents."""
        self.delete_by_filter({})

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Remove the documents that Haystack's filters match, and return how many."""
        ids = [document.id for document in self.filter_documents(filters)]
        return self.index.delete(ids, chunks=False)

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set metadata of the documents that Haystack's filters match, and return how many."""
        documents = self.filter_documents(filters)
        changed = [replace(one, meta={**one.meta, **meta}) for one in documents]
        return self.write_documents(changed, DuplicatePolicy.OVERWRITE)


def as_records(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Yield the records that `Index.add` takes."""
    for document in documents:
        yield record_of(document.content or "", document.meta, document.id)


def as_where(filters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return Haystack's filters as `Index.search` takes them.

    Raises:
        InputError: An Index does not support a filter.
    """
    if not filters:
        return None
    if filters.get("operator") == "AND":
        wheres = [as_where(condition) or {} for condition in filters.get("conditions", ())]
        joined: dict[str, Any] = {}
        for where in wheres:
            if repeated := joined.keys() & where.keys():
                raise InputError(f"filters ask twice for {sorted(repeated)[0]!r}: expected once")
            joined |= where
        return joined
    name, operator = filters.get("field"), filters.get("operator")
    if not isinstance(name, str) or operator not in {"==", "in"} or "value" not in filters:
        raise InputError(
            f"filters hold {dict(filters)!r}: expected `==` or `in` on meta fields, joined by AND\n"
            'hint: {"field": "meta.lang", "operator": "==", "value": "ja"}'
        )
    return {name.removeprefix("meta."): filters["value"]}


def _as_document(passage: Hit | Passage, score: float | None = None) -> Document:
    return Document(id=passage.id, content=passage.text, meta=metadata_of(passage), score=score)
