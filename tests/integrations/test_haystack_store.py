"""Haystack's own tests of a document store, over ours, and the ranker."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("haystack")

from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing.document_store import DocumentStoreBaseExtendedTests

import konayuki
from evaluation.tiny_model import save_tiny_model, tiny_model
from integrations.passages import ALL
from konayuki.errors import InputError
from konayuki.integrations.haystack import (
    KonayukiDocumentStore,
    KonayukiRanker,
    KonayukiRetriever,
)

DOCUMENTS = [Document(id=key, content=text, meta=known) for key, text, known in ALL]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KonayukiDocumentStore]:
    store = KonayukiDocumentStore(tmp_path / "i", model=tiny_model())
    with store.index:
        yield store


@pytest.mark.slow
class TestDocumentStore(DocumentStoreBaseExtendedTests):
    @pytest.fixture
    def document_store(self, store: KonayukiDocumentStore) -> KonayukiDocumentStore:
        return store

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        """The order is that of storing, and the index keeps no vectors of others."""
        plain = [replace(document, embedding=None) for document in expected]
        assert sorted(received, key=lambda one: one.id) == sorted(plain, key=lambda one: one.id)

    def test_write_documents(self, document_store: Any) -> None:
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])


def test_a_retriever_searches_the_store(store: KonayukiDocumentStore) -> None:
    store.write_documents(DOCUMENTS)

    found = KonayukiRetriever(store.index, top_k=1).run("日本一の湖")["documents"]

    assert [(one.id, one.content, one.meta) for one in found] == [ALL[1]]


def test_a_store_is_written_down_and_opened_again(tmp_path: Path) -> None:
    model = str(save_tiny_model(tmp_path / "model"))
    store = KonayukiDocumentStore(tmp_path / "i", model=model)
    with store.index:
        store.write_documents(DOCUMENTS, DuplicatePolicy.SKIP)

    again = KonayukiDocumentStore.from_dict(store.to_dict())

    with again.index:
        assert again.count_documents() == 3
        assert again.filter_documents({"field": "meta.lang", "operator": "!=", "value": "ja"}) == [
            DOCUMENTS[2]
        ]


def test_binary_content_is_refused(store: KonayukiDocumentStore) -> None:
    with pytest.raises(InputError, match="'b' has binary content"):
        store.write_documents([Document(id="b", blob=ByteStream(b"x"))])


def test_the_ranker_gives_the_order_of_the_library() -> None:
    texts = [f"山\n{ALL[0][1]}", ALL[1][1], ALL[2][1]]
    expected = konayuki.rerank("日本一の湖", texts)
    pipeline = Pipeline()
    pipeline.add_component("ranker", KonayukiRanker(top_k=2))

    loaded = Pipeline.loads(pipeline.dumps(), allowed_modules=["konayuki.integrations.haystack"])
    inputs = {"query": "日本一の湖", "documents": DOCUMENTS}
    ranked = loaded.run({"ranker": inputs})["ranker"]["documents"]

    assert [(one.id, one.score) for one in ranked] == [
        (DOCUMENTS[line.position].id, line.relevance) for line in expected[:2]
    ]
    assert len(KonayukiRanker().run(**inputs)["documents"]) == 3
    assert KonayukiRanker(min_relevance=1.0).run(**inputs) == {"documents": []}
