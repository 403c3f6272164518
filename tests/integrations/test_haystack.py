"""Haystack's pipelines and stores, over our model and our Index."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("haystack")

from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from evaluation.tiny_model import save_tiny_model, tiny_model
from integrations.passages import ALL, FUJI, index_of
from konayuki.errors import InputError
from konayuki.integrations.haystack import (
    KonayukiDocumentEmbedder,
    KonayukiRetriever,
    KonayukiTextEmbedder,
    as_records,
    as_where,
)
from konayuki.model import StaticModel
from konayuki.search import Index

DOCUMENTS = [Document(id=key, content=text, meta=known) for key, text, known in ALL]
TEXTS = [text for _, text, _ in ALL]
MODULE = "konayuki.integrations.haystack"


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Haystack's usage figures from leaving the machine."""
    monkeypatch.setattr("haystack.telemetry._telemetry.telemetry", None)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_of(tmp_path / "index", as_records(DOCUMENTS)) as index:
        yield index


def lang(value: object, operator: str = "==") -> dict:
    return {"field": "meta.lang", "operator": operator, "value": value}


def through_yaml(pipeline: Pipeline) -> Pipeline:
    allows = "allowed_modules" in inspect.signature(Pipeline.loads).parameters  # not in 2.x
    options = {"allowed_modules": [MODULE]} if allows else {}
    return Pipeline.loads(pipeline.dumps(), **options)


def test_embedders_give_the_vectors_of_the_model() -> None:
    wanted = tiny_model().encode(TEXTS, dim=16)

    documents = KonayukiDocumentEmbedder(tiny_model(), dim=16).run(DOCUMENTS)["documents"]
    vector = KonayukiTextEmbedder(tiny_model(), dim=16).run(TEXTS[0])["embedding"]

    np.testing.assert_array_equal([document.embedding for document in documents], wanted)
    np.testing.assert_array_equal(vector, wanted[0])
    assert [document.id for document in documents] == [document.id for document in DOCUMENTS]
    assert all(document.embedding is None for document in DOCUMENTS)  # ours are copies


def test_metadata_can_be_embedded_before_the_content() -> None:
    embedder = KonayukiDocumentEmbedder(
        tiny_model(), meta_fields_to_embed=["title"], embedding_separator="。"
    )

    first, second = embedder.run([*DOCUMENTS[:1], Document(content=None)])["documents"]

    np.testing.assert_array_equal(first.embedding, tiny_model().encode("山。" + FUJI[1]))
    assert not any(second.embedding)


def test_a_pipeline_of_embedder_and_store_survives_yaml(tmp_path: Path) -> None:
    folder = str(save_tiny_model(tmp_path))
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(KonayukiDocumentEmbedder(folder).run(DOCUMENTS)["documents"])
    pipeline = Pipeline()
    pipeline.add_component("embedder", KonayukiTextEmbedder(folder))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")

    found = pipeline.run({"embedder": {"text": "一番高い山"}})["retriever"]["documents"]
    embedder = through_yaml(pipeline).get_component("embedder")

    cosines = tiny_model().similarity("一番高い山", TEXTS)[0]
    assert [one.id for one in found] == [ALL[place][0] for place in np.argsort(-cosines)]
    np.testing.assert_allclose([one.score for one in found], np.sort(cosines)[::-1], atol=1e-6)
    np.testing.assert_array_equal(
        embedder.run("一番高い山")["embedding"], tiny_model().encode("一番高い山")
    )


def test_a_pipeline_over_an_index_survives_yaml(index: Index, tmp_path: Path) -> None:
    model = str(save_tiny_model(tmp_path / "tiny"))
    pipeline = Pipeline()
    retriever = KonayukiRetriever(index, model=model, top_k=2, filters=lang("ja"))
    pipeline.add_component("retriever", retriever)
    question = {"retriever": {"query": "日本一の山"}}

    found = pipeline.run(question)["retriever"]["documents"]

    hits = index.search("日本一の山", k=2, where={"lang": "ja"})
    assert [(one.id, one.score) for one in found] == [(hit.id, hit.score) for hit in hits]
    assert (found[0].content, found[0].meta) == (FUJI[1], FUJI[2])
    assert through_yaml(pipeline).run(question)["retriever"]["documents"] == found


def test_options_of_a_run_replace_those_of_the_component(index: Index) -> None:
    retriever = KonayukiRetriever(index, top_k=3, filters=lang("ja"), mode="lexical")

    assert [one.id for one in retriever.run("sky", filters=lang("en"))["documents"]] == ["sky"]
    assert retriever.run("日本一", top_k=1)["documents"] == retriever.run("日本一")["documents"][:1]


def test_filters_that_an_index_knows() -> None:
    year = {"field": "meta.year", "operator": "in", "value": [2023, 2024]}

    assert as_where(None) is None
    assert as_where(year) == {"year": [2023, 2024]}
    assert as_where({"operator": "AND", "conditions": [lang("ja"), year]}) == {
        "lang": "ja",
        "year": [2023, 2024],
    }


@pytest.mark.parametrize(
    "filters",
    [
        lang("ja", "!="),
        {"operator": "OR", "conditions": [lang("ja")]},
        {"operator": "AND", "conditions": [lang("ja"), lang("en")]},
        {"field": "meta.lang", "operator": "=="},
    ],
)
def test_other_filters_are_refused_when_the_component_is_made(filters: dict) -> None:
    with pytest.raises(InputError, match="filters"):
        KonayukiRetriever("notes.konayuki", filters=filters)


def test_wrong_use_is_an_error_of_ours() -> None:
    with pytest.raises(InputError, match="KonayukiDocumentEmbedder"):
        KonayukiTextEmbedder(tiny_model()).run(DOCUMENTS)
    with pytest.raises(InputError, match="KonayukiTextEmbedder"):
        KonayukiDocumentEmbedder(tiny_model()).run("富士山")
    with pytest.raises(InputError, match="only in memory"):
        KonayukiTextEmbedder(tiny_model()).to_dict()


def test_the_bundled_model_is_the_default() -> None:
    embedder = KonayukiTextEmbedder(dim=64)
    embedder.warm_up()

    np.testing.assert_array_equal(
        embedder.run("富士山")["embedding"], StaticModel.load().encode("富士山", dim=64)
    )
    assert embedder.to_dict()["init_parameters"] == {"model": None, "dim": 64}
