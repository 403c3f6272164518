"""Searching by a vector, and all documents in their order."""

from pathlib import Path

import numpy as np
import pytest

from konayuki.errors import InputError
from konayuki.search import Index
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = HashEncoder()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory):
    with Index.create(tmp_path_factory.mktemp("nearest") / "i", MODEL) as index:
        index.add({**one, "metadata": {"even": n % 2 == 0}} for n, one in enumerate(records(60)))
        yield index


@pytest.mark.parametrize("where", [None, {"even": True}])
def test_nearest_is_a_dense_search_by_a_vector(index: Index, where) -> None:
    vector = MODEL.encode(["日本の歴史"])[0]
    by_text = index.search("日本の歴史", k=20, mode="dense", distinct=False, where=where)

    for given in (vector, 7 * vector, vector.tolist()):
        by_vector = index.nearest(given, k=20, where=where)
        assert [hit.id for hit in by_vector] == [hit.id for hit in by_text]
        expected = [hit.score for hit in by_text]
        assert [hit.score for hit in by_vector] == pytest.approx(expected, abs=1e-6)
    assert index.nearest(vector, k=0) == []


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0], r"shape \(1,\): expected"),
        (np.ones((1, MODEL.dim)), "shape"),
        ([np.nan] * MODEL.dim, "finite"),
        ("雪", "cannot be read"),
        ([{}], "cannot be read"),
    ],
)
def test_what_is_not_a_vector_of_the_model_is_named(index: Index, vector, message: str) -> None:
    with pytest.raises(InputError, match=message):
        index.nearest(vector)


def test_all_documents_come_once_and_only_living_ones(tmp_path: Path) -> None:
    stored = records(50)
    with Index.create(tmp_path / "i", MODEL) as index:
        assert list(index.documents()) == []
        index.add(stored)
        index.add(stored[:1])
        index.delete([stored[1]["id"]])

        ids = [document.id for document in index.documents()]

    assert ids == [one["id"] for one in [*stored[2:], stored[0]]]
