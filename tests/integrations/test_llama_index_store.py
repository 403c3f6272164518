"""LlamaIndex's vector store over an Index, used as LlamaIndex uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from evaluation.tiny_model import tiny_model
from integrations.passages import ALL
from konayuki.errors import InputError
from konayuki.integrations.llama_index import KonayukiEmbedding, KonayukiVectorStore
from konayuki.search import Index

SOURCE = RelatedNodeInfo(node_id="book")
NODES = [
    TextNode(id_=key, text=text, metadata=known, relationships={NodeRelationship.SOURCE: SOURCE})
    for key, text, known in ALL
]
ENGLISH = MetadataFilters(filters=[MetadataFilter(key="lang", value="en")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KonayukiVectorStore]:
    with Index.create(tmp_path / "i", tiny_model()) as index:
        store = KonayukiVectorStore(index)
        assert store.add(NODES) == [key for key, *_ in ALL]
        yield store


def query(store: KonayukiVectorStore, text: str | None = "日本一の湖", **more: object) -> list[str]:
    arguments = {"similarity_top_k": 3, **more}
    return store.query(VectorStoreQuery(query_str=text, **arguments)).ids


def test_a_node_comes_back_as_it_was_stored(store: KonayukiVectorStore) -> None:
    result = store.query(VectorStoreQuery(query_str="日本一の湖", similarity_top_k=1))

    [node] = result.nodes
    assert (node.node_id, node.text, node.ref_doc_id) == ("lake", ALL[1][1], "book")
    assert node.metadata == ALL[1][2]
    assert store.get_nodes(["lake"]) == [node]


@pytest.mark.parametrize(
    ("mode", "ours"), [("default", "hybrid"), ("sparse", "lexical"), ("hybrid", "hybrid")]
)
def test_the_hits_are_those_of_the_index(store: KonayukiVectorStore, mode: str, ours: str) -> None:
    hits = store.client.search("日本一の湖", k=3, mode=ours, distinct=False)

    assert query(store, mode=VectorStoreQueryMode(mode)) == [hit.id for hit in hits]


def test_a_query_without_text_takes_the_nearest_vectors(store: KonayukiVectorStore) -> None:
    vector = tiny_model().encode("日本一の湖").tolist()

    expected = [hit.id for hit in store.client.search("日本一の湖", mode="dense")]
    assert query(store, None, query_embedding=vector) == expected


def test_filters_leave_out_the_others(store: KonayukiVectorStore) -> None:
    both = MetadataFilters(
        filters=[
            MetadataFilters(filters=[MetadataFilter(key="lang", value="ja")]),
            MetadataFilter(key="title", value=["山", "谷"], operator=FilterOperator.IN),
        ]
    )

    assert query(store, filters=ENGLISH) == ["sky"]
    assert query(store, filters=both) == ["fuji"]
    assert query(store, node_ids=["sky"]) == ["sky"]
    assert query(store, doc_ids=["other"]) == []
    assert len(query(store, doc_ids=["book"])) == 3
    assert [node.node_id for node in store.get_nodes(filters=ENGLISH)] == ["sky"]


@pytest.mark.parametrize(
    "filters",
    [
        MetadataFilters(filters=ENGLISH.filters, condition=FilterCondition.OR),
        MetadataFilters(filters=[MetadataFilter(key="n", value=1, operator=FilterOperator.GT)]),
    ],
)
def test_other_filters_and_modes_are_refused(
    store: KonayukiVectorStore, filters: MetadataFilters
) -> None:
    with pytest.raises(InputError, match="joined by AND"):
        query(store, filters=filters)
    with pytest.raises(InputError, match="mode is 'svm'"):
        query(store, mode=VectorStoreQueryMode.SVM)
    with pytest.raises(InputError, match="neither text nor vector"):
        query(store, None)


def test_nodes_go_by_id_by_metadata_by_document_and_all(store: KonayukiVectorStore) -> None:
    store.delete_nodes(["lake", "nobody"])
    assert len(store.get_nodes()) == 2
    store.delete_nodes(filters=ENGLISH)
    assert [node.node_id for node in store.get_nodes()] == ["fuji"]
    store.delete("other")
    assert len(store.get_nodes()) == 1
    store.delete("book")
    assert store.get_nodes() == []
    store.add(NODES)
    store.clear()
    assert store.get_nodes() == []


def test_their_index_fills_searches_and_empties_it(tmp_path: Path) -> None:
    documents = [Document(id_=key, text=text, metadata=known) for key, text, known in ALL]
    with Index.create(tmp_path / "i", tiny_model()) as index:
        store = KonayukiVectorStore(index)
        context = StorageContext.from_defaults(vector_store=store)
        embedding = KonayukiEmbedding(model=tiny_model())
        theirs = VectorStoreIndex.from_documents(
            documents, storage_context=context, embed_model=embedding
        )

        [best] = theirs.as_retriever(similarity_top_k=1).retrieve("日本一の湖")
        theirs.delete_ref_doc("lake")
        left = theirs.as_retriever(similarity_top_k=3, filters=None).retrieve("日本一の湖")

    assert (best.node.ref_doc_id, best.text) == ("lake", ALL[1][1])
    assert "lake" not in {one.node.ref_doc_id for one in left}
    assert len(left) == 2


def test_passages_that_something_else_stored_are_nodes_too(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", tiny_model()) as index:
        index.add([{"id": "a.md#1", "text": "湖", "chunk_of": "a.md", "position": 1}])

        [node] = KonayukiVectorStore(index).get_nodes()

    assert (node.node_id, node.text) == ("a.md#1", "湖")
    assert node.metadata == {"document": "a.md", "position": 1}
