"""LangChain's own interfaces and stores, over our model and our Index."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("langchain_core")

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

from evaluation.tiny_model import save_tiny_model, tiny_model
from integrations.passages import ALL, FUJI, index_of
from konayuki.errors import DimensionError, InputError
from konayuki.integrations.langchain import (
    KonayukiEmbeddings,
    KonayukiRetriever,
    as_records,
)
from konayuki.search import Index

DOCUMENTS = [Document(id=key, page_content=text, metadata=known) for key, text, known in ALL]
TEXTS = [text for _, text, _ in ALL]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_of(tmp_path / "index", as_records(DOCUMENTS)) as index:
        yield index


def test_embeddings_are_the_models_own(tmp_path: Path) -> None:
    for model in (tiny_model(), save_tiny_model(tmp_path), str(tmp_path)):
        embeddings = KonayukiEmbeddings(model, dim=16)

        assert isinstance(embeddings, Embeddings)
        wanted = tiny_model().encode(TEXTS, dim=16)
        np.testing.assert_array_equal(embeddings.embed_documents(TEXTS), wanted)
        np.testing.assert_array_equal(embeddings.embed_query(TEXTS[1]), wanted[1])
    np.testing.assert_array_equal(asyncio.run(embeddings.aembed_query(TEXTS[1])), wanted[1])
    assert embeddings.embed_documents([]) == []


def test_the_bundled_model_is_the_default() -> None:
    assert len(KonayukiEmbeddings(dim=64).embed_query("富士山")) == 64
    with pytest.raises(DimensionError):
        KonayukiEmbeddings(dim=4096).embed_query("富士山")


def test_a_vector_store_of_theirs_ranks_as_our_cosines_do() -> None:
    store = InMemoryVectorStore(KonayukiEmbeddings(tiny_model()))
    store.add_documents(DOCUMENTS)

    found = store.similarity_search_with_score("一番高い山", k=3)

    cosines = tiny_model().similarity("一番高い山", TEXTS)[0]
    order = np.argsort(-cosines)
    assert [document.id for document, _ in found] == [ALL[place][0] for place in order]
    np.testing.assert_allclose([score for _, score in found], cosines[order], atol=1e-6)


def test_the_retriever_gives_the_hits_of_the_index(index: Index) -> None:
    hits = index.search("日本一の山", k=2)

    documents = KonayukiRetriever(index=index, k=2).invoke("日本一の山")

    assert [document.id for document in documents] == [hit.id for hit in hits]
    assert documents[0].page_content == FUJI[1]
    assert documents[0].metadata == {**FUJI[2], "relevance_score": hits[0].relevance}


def test_options_of_a_call_replace_those_of_the_retriever(index: Index) -> None:
    retriever = KonayukiRetriever(index=index, k=3, where={"lang": "ja"})

    assert {one.id for one in retriever.invoke("山")} == {"fuji", "lake"}
    assert [one.id for one in retriever.invoke("sky", where={"lang": "en"})] == ["sky"]
    assert len(retriever.invoke("山", k=1)) == 1
    assert [one.id for one in retriever.invoke("湖", mode="lexical")] == ["lake"]
    assert asyncio.run(retriever.ainvoke("山", k=1)) == retriever.invoke("山", k=1)
    assert asyncio.run(retriever.abatch(["山", "湖"])) == retriever.batch(["山", "湖"])


def test_the_retriever_is_a_step_of_a_chain(index: Index) -> None:
    chain = KonayukiRetriever(index=index, k=1) | RunnableLambda(lambda found: found[0].id)

    assert chain.invoke("湖") == "lake"


def test_wrong_use_is_an_error(index: Index) -> None:
    with pytest.raises(InputError, match="mode"):
        KonayukiRetriever(index=index).invoke("山", mode="fuzzy")
    with pytest.raises(ValueError, match="instance of Index"):
        KonayukiRetriever(index="notes.konayuki")


def test_a_document_without_an_id_replaces_itself(tmp_path: Path) -> None:
    unnamed = [Document(page_content=text, metadata=known) for _, text, known in ALL]
    with index_of(tmp_path / "index", as_records(unnamed)) as index:
        index.add(as_records(unnamed))
        assert len(index) == 3
        index.add(as_records([Document(page_content=TEXTS[0], metadata={"lang": "en"})]))
        assert len(index) == 4
