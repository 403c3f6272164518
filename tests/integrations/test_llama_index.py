"""LlamaIndex's own interfaces and indexes, over our model and our Index."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llama_index.core")

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TextNode

from evaluation.tiny_model import save_tiny_model, tiny_model
from integrations.passages import ALL, FUJI, index_of
from konayuki.errors import NotFoundError
from konayuki.integrations.llama_index import (
    KonayukiEmbedding,
    KonayukiRetriever,
    as_records,
)
from konayuki.model import StaticModel
from konayuki.search import Index

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
NODES = [TextNode(id_=key, text=text, metadata=known) for key, text, known in ALL]
TEXTS = [text for _, text, _ in ALL]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_of(tmp_path / "index", as_records(NODES)) as index:
        yield index


def test_embeddings_are_the_models_own() -> None:
    embedding = KonayukiEmbedding(model=tiny_model(), dim=16)
    wanted = tiny_model().encode(TEXTS, dim=16)

    np.testing.assert_array_equal(embedding.get_text_embedding_batch(TEXTS), wanted)
    np.testing.assert_array_equal(embedding.get_text_embedding(TEXTS[2]), wanted[2])
    np.testing.assert_array_equal(embedding.get_query_embedding(TEXTS[1]), wanted[1])
    found = asyncio.run(embedding.aget_text_embedding_batch(TEXTS))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(asyncio.run(embedding.aget_query_embedding(TEXTS[1])), wanted[1])


def test_it_serialises_to_the_name_of_its_model(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    for model in (str(folder), StaticModel.load(folder)):
        written = KonayukiEmbedding(model=model, dim=16).to_dict()
        assert written["model"] == str(folder)

        again = KonayukiEmbedding.from_dict(written)
        wanted = tiny_model().encode(TEXTS[0], dim=16)
        np.testing.assert_array_equal(again.get_text_embedding(TEXTS[0]), wanted)
    assert KonayukiEmbedding(dim=8).to_dict()["model"] is None
    assert KonayukiEmbedding(model=StaticModel.load()).to_dict()["model"] is None
    unnamed = KonayukiEmbedding(model=tiny_model()).to_dict()
    assert unnamed["model"] == f"memory:{tiny_model().fingerprint}"
    with pytest.raises(NotFoundError, match="no model folder 'memory:"):
        KonayukiEmbedding.from_dict(unnamed)


def test_an_index_of_theirs_ranks_as_our_cosines_do() -> None:
    theirs = VectorStoreIndex(NODES[:], embed_model=KonayukiEmbedding(model=tiny_model()))

    found = theirs.as_retriever(similarity_top_k=3).retrieve("一番高い山")

    # LlamaIndex embeds metadata with the text.
    shown = [node.get_content(metadata_mode="embed") for node in NODES]
    cosines = tiny_model().similarity("一番高い山", shown)[0]
    order = np.argsort(-cosines)
    assert [one.node_id for one in found] == [ALL[place][0] for place in order]
    np.testing.assert_allclose([one.score for one in found], cosines[order], atol=1e-6)


def test_it_is_a_step_of_an_ingestion_pipeline(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    steps = [
        SentenceSplitter(chunk_size=64, chunk_overlap=0, tokenizer=list),
        KonayukiEmbedding(model=str(folder)),
    ]

    nodes = IngestionPipeline(transformations=steps).run(
        documents=[Document(text=text) for text in TEXTS]
    )

    assert [node.text for node in nodes] == TEXTS
    np.testing.assert_array_equal([node.embedding for node in nodes], tiny_model().encode(TEXTS))


def test_the_retriever_gives_the_hits_of_the_index(index: Index) -> None:
    retriever = KonayukiRetriever(index, k=2, where={"lang": "ja"})
    hits = index.search("日本一の山", k=2, where={"lang": "ja"})

    found = retriever.retrieve("日本一の山")

    assert [(one.node_id, one.score) for one in found] == [(hit.id, hit.score) for hit in hits]
    assert (found[0].text, found[0].metadata) == (FUJI[1], FUJI[2])
    again = asyncio.run(retriever.aretrieve("日本一の山"))
    assert [one.node_id for one in again] == [hit.id for hit in hits]
    assert [one.node_id for one in KonayukiRetriever(index, mode="lexical").retrieve("湖")] == [
        "lake"
    ]


def test_a_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        KonayukiEmbedding(model="./modle")
