"""The functions in DuckDB, against the model itself."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")

import duckdb

from evaluation.tiny_model import tiny_model
from integrations.passages import ALL
from konayuki.errors import InputError
from konayuki.integrations.duckdb import register

TEXTS = [text for _, text, _ in ALL]


@pytest.fixture
def connection() -> Iterator[Any]:
    with duckdb.connect() as connection:
        register(connection, tiny_model())
        connection.execute("CREATE TABLE notes AS SELECT unnest(?) AS text", [TEXTS])
        yield connection


@pytest.mark.parametrize("dim", [None, 8])
def test_vectors_are_those_of_the_model(connection: Any, dim: int | None) -> None:
    more = "" if dim is None else f", {dim}"
    rows = connection.execute(f"SELECT embed(text{more}) FROM notes").fetchall()

    vectors = np.float32([vector for (vector,) in rows])
    np.testing.assert_array_equal(vectors, tiny_model().encode(TEXTS, dim=dim))


def test_cosines_are_those_of_the_model(connection: Any) -> None:
    expected = tiny_model().similarity("日本一の湖", TEXTS)[0]

    sql = "SELECT cosine(embed(text), embed('日本一の湖')) FROM notes"
    cosines = [cosine for (cosine,) in connection.execute(sql).fetchall()]

    np.testing.assert_allclose(cosines, expected, atol=1e-6)


def test_null_is_null_and_a_zero_vector_is_like_nothing(connection: Any) -> None:
    values = "embed(NULL), cosine(NULL, embed('x')), bigrams(NULL), cosine(embed(''), embed('山'))"

    assert connection.execute(f"SELECT {values}").fetchone() == (None, None, None, 0.0)


def test_bigrams_find_japanese(connection: Any) -> None:
    sql = "SELECT text FROM notes WHERE contains(bigrams(text), '琵琶 琶湖')"

    assert connection.execute(sql).fetchall() == [(TEXTS[1],)]


def test_thousands_of_rows_are_encoded_by_the_column(connection: Any) -> None:
    sql = "SELECT count(DISTINCT embed(i::VARCHAR)::VARCHAR) FROM range(5000) t(i)"

    assert connection.execute(sql).fetchone()[0] > 1


def test_wrong_use_says_why(connection: Any) -> None:
    with pytest.raises(InputError, match="function embed"):
        register(connection, tiny_model())
    with pytest.raises(duckdb.Error, match="dimensions"):
        connection.execute("SELECT embed('x', 99)").fetchall()
    with pytest.raises(duckdb.Error, match="expected a text"):
        connection.execute("SELECT embed('x', 1, 2)").fetchall()
