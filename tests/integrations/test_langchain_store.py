"""LangChain's vector store and document compressor, beyond what its standard suite asks."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("langchain_core")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

import konayuki
from evaluation.tiny_model import tiny_model
from integrations.passages import ALL, FUJI
from konayuki.errors import InputError
from konayuki.integrations.langchain import (
    KonayukiEmbeddings,
    KonayukiReranker,
    KonayukiVectorStore,
)
from konayuki.search import Index

DOCUMENTS = [Document(page_content=text, metadata=known, id=name) for name, text, known in ALL]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KonayukiVectorStore]:
    with Index.create(tmp_path_factory.mktemp("store") / "i", tiny_model()) as index:
        store = KonayukiVectorStore(index)
        assert store.add_documents(DOCUMENTS) == [name for name, *_ in ALL]
        yield store


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_the_hits_are_those_of_the_index(store: KonayukiVectorStore) -> None:
    hits = store.index.search("日本一の山", k=2)

    found = store.similarity_search_with_score("日本一の山", k=2)

    assert [(document.id, score) for document, score in found] == [
        (hit.id, hit.score) for hit in hits
    ]
    assert found[0][0] == Document(id=FUJI[0], page_content=FUJI[1], metadata=FUJI[2])
    assert asyncio.run(store.asimilarity_search("日本一の山", k=2)) == [one for one, _ in found]


def test_a_filter_leaves_out_the_others(store: KonayukiVectorStore) -> None:
    english = {"lang": "en"}
    vector = store.embeddings.embed_query("日本一の山")

    for found in (
        store.similarity_search("日本一の山", filter=english),
        store.similarity_search_by_vector(vector, filter=english),
        store.max_marginal_relevance_search("日本一の山", filter=english),
        store.as_retriever(search_kwargs={"filter": english}).invoke("日本一の山"),
    ):
        assert ids(found) == ["sky"]


def test_by_vector_ranks_as_cosines_do(store: KonayukiVectorStore) -> None:
    vector = tiny_model().encode("一番高い山")
    titles = [one.metadata.get("title", "") for one in DOCUMENTS]
    texts = [f"{title}\n{one.page_content}" for title, one in zip(titles, DOCUMENTS, strict=True)]
    cosines = tiny_model().similarity(vector, texts)[0]

    found = store.similarity_search_by_vector(vector.tolist(), k=3)

    assert ids(found) == [DOCUMENTS[place].id for place in np.argsort(-cosines)]


def test_relevance_is_from_0_to_1_and_a_threshold_holds(store: KonayukiVectorStore) -> None:
    scored = store.similarity_search_with_relevance_scores("日本一の山", k=3)
    floor = sorted(score for _, score in scored)[1]

    assert all(0 <= score <= 1 for _, score in scored)
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": floor}
    )
    assert len(retriever.invoke("日本一の山")) == 2
    for mode in ("dense", "lexical"):
        other = KonayukiVectorStore(store.index, mode=mode)
        scored = other.similarity_search_with_relevance_scores("日本一の山", k=3)
        assert scored
        assert all(0 <= score <= 1 for _, score in scored)


def test_diverse_hits_leave_out_repetitions(tmp_path: Path) -> None:
    texts = ["富士山は日本一高い山", "富士山は日本一高い山。", "琵琶湖は日本一大きい湖"]
    store = KonayukiVectorStore.from_texts(
        texts, KonayukiEmbeddings(tiny_model()), path=tmp_path / "i", ids=["1", "2", "3"]
    )
    vector = store.embeddings.embed_query("日本一高い山")

    with store.index:
        best = store.similarity_search("日本一高い山", k=2)
        diverse = store.max_marginal_relevance_search("日本一高い山", k=2, lambda_mult=0.1)
        by_vector = store.max_marginal_relevance_search_by_vector(vector, k=2, lambda_mult=0.1)
        nobody = store.max_marginal_relevance_search("日本一", filter={"no": 1})

    assert {one.id for one in best} == {"1", "2"}
    assert "3" in ids(diverse)
    assert "3" in ids(by_vector)
    assert nobody == []


def test_a_store_is_made_from_documents_and_emptied(tmp_path: Path) -> None:
    store = KonayukiVectorStore.from_documents(
        DOCUMENTS, KonayukiEmbeddings(tiny_model()), path=str(tmp_path / "i")
    )

    with store.index:
        assert len(store.index) == 3
        assert store.add_texts(["x"], ids=["fuji"]) == ["fuji"]
        assert ids(store.get_by_ids(["lake", "nobody", "fuji"])) == ["lake", "fuji"]
        store.delete()
        assert len(store.index) == 0


def test_wrong_use_is_an_error(store: KonayukiVectorStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 ids: expected 1"):
        store.add_texts(["x"], ids=["a", "b"])
    with pytest.raises(InputError, match="DeterministicFakeEmbedding: expected Konayuki"):
        KonayukiVectorStore.from_texts(
            ["x"], DeterministicFakeEmbedding(size=3), path=tmp_path / "i"
        )


def test_the_reranker_gives_the_order_of_the_library() -> None:
    texts = [f"{one.metadata['title']}\n{one.page_content}" if "title" in one.metadata
             else one.page_content for one in DOCUMENTS]  # fmt: skip
    expected = konayuki.rerank("日本一の湖", texts)

    ranked = KonayukiReranker().compress_documents(DOCUMENTS, "日本一の湖")

    assert ids(ranked) == [DOCUMENTS[line.position].id for line in expected]
    scores = [one.metadata["relevance_score"] for one in ranked]
    assert scores == [line.relevance for line in expected]
    assert "relevance_score" not in DOCUMENTS[0].metadata
    best = KonayukiReranker(top_n=1).compress_documents(DOCUMENTS, "日本一の湖")
    assert best == ranked[:1]
    few = KonayukiReranker(model=tiny_model(), min_relevance=1.0)
    assert few.compress_documents(DOCUMENTS, "日本一の湖") == []
    assert (
        asyncio.run(KonayukiReranker(top_n=1).acompress_documents(DOCUMENTS, "日本一の湖")) == best
    )
