"""The standard suites of langchain-tests, over our embeddings, store and retriever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed")

from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

from evaluation.tiny_model import tiny_model
from integrations.passages import ALL
from konayuki.integrations.langchain import (
    KonayukiEmbeddings,
    KonayukiRetriever,
    KonayukiVectorStore,
)
from konayuki.search import Index

pytestmark = pytest.mark.anyio  # for the asynchronous ones


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class OurEmbeddings:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KonayukiEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": tiny_model()}


class TestEmbeddings(OurEmbeddings, EmbeddingsUnitTests):
    pass


class TestEmbeddingsInUse(OurEmbeddings, EmbeddingsIntegrationTests):
    pass


@pytest.mark.slow
class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[KonayukiVectorStore]:
        with Index.create(tmp_path / "i", tiny_model()) as index:
            yield KonayukiVectorStore(index)


@pytest.mark.slow
class TestVectorStoreOfVectors(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[KonayukiVectorStore]:
        with Index.create(tmp_path / "i", tiny_model()) as index:
            yield KonayukiVectorStore(index, mode="dense")


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _open_index(self, tmp_path: Path) -> Iterator[None]:
        with Index.create(tmp_path / "i", tiny_model()) as self.index:
            self.index.add({"id": one[0], "text": one[1]} for one in ALL)
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return KonayukiRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.index}

    @property
    def retriever_query_example(self) -> str:
        return "一番高い山"
