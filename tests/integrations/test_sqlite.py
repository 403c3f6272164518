"""The functions in SQL, against the model itself and against plain substring search."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import konayuki
from evaluation.tiny_model import tiny_model
from integrations.passages import ALL
from konayuki.integrations.bigrams import bigrams_query
from konayuki.text import fold

TEXTS = [text for _, text, _ in ALL]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        konayuki.sqlite.register(connection, tiny_model())
        connection.execute("CREATE TABLE notes (text TEXT, vector BLOB)")
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [(t,) for t in TEXTS])
        yield connection


def value(connection: sqlite3.Connection, sql: str, *arguments: object) -> object:
    return connection.execute(f"SELECT {sql}", arguments).fetchone()[0]


@pytest.mark.parametrize("dim", [None, 8])
def test_vectors_are_those_of_the_model(connection: sqlite3.Connection, dim: int | None) -> None:
    more = "" if dim is None else f", {dim}"
    blobs = connection.execute(f"SELECT embed(text{more}) FROM notes").fetchall()

    vectors = np.stack([np.frombuffer(blob, "<f4") for (blob,) in blobs])
    np.testing.assert_array_equal(vectors, tiny_model().encode(TEXTS, dim=dim))


def test_cosines_are_those_of_the_model_for_vectors_and_for_texts(
    connection: sqlite3.Connection,
) -> None:
    connection.execute("UPDATE notes SET vector = embed(text)")
    expected = tiny_model().similarity("日本一の湖", TEXTS)[0]

    for sql in ("vector, embed(?1)", "vector, ?1", "?1, text", "embed(text), ?1"):
        rows = connection.execute(f"SELECT cosine({sql}) FROM notes", ("日本一の湖",)).fetchall()
        np.testing.assert_allclose([cosine for (cosine,) in rows], expected, atol=1e-6)
    best = "SELECT text FROM notes ORDER BY cosine(vector, ?) DESC LIMIT 1"
    assert connection.execute(best, ("日本一の湖",)).fetchone() == (TEXTS[expected.argmax()],)


def test_a_text_next_to_a_short_vector_is_cut_to_its_dimensions(
    connection: sqlite3.Connection,
) -> None:
    model = tiny_model()
    expected = model.encode("湖", dim=8) @ model.encode("日本一の湖", dim=8)

    assert value(connection, "cosine(embed('湖', 8), '日本一の湖')") == pytest.approx(expected)


def test_null_is_null_and_a_zero_vector_is_like_nothing(connection: sqlite3.Connection) -> None:
    for sql in ("embed(NULL)", "cosine(NULL, 'x')", "bigrams(NULL)", "bigrams_query(NULL)"):
        assert value(connection, sql) is None
    assert value(connection, "cosine('', '山')") == 0.0
    assert value(connection, "bigrams(3776)") == "3776"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("embed('x', 99)", "dimensions"),
        ("embed('x', 'y')", "dim is 'y'"),
        ("cosine(x'00', 'x')", "multiple of 4"),
        ("cosine(embed('x'), embed('x', 8))", "expected equal"),
        ("bigrams(x'00')", "expected text"),
    ],
)
def test_what_cannot_be_is_an_error_with_a_reason(
    connection: sqlite3.Connection, sql: str, reason: str
) -> None:
    reasons: list[str] = []
    sqlite3.enable_callback_tracebacks(True)
    hook, sys.unraisablehook = sys.unraisablehook, lambda one: reasons.append(str(one.exc_value))
    try:
        with pytest.raises(sqlite3.OperationalError):
            value(connection, sql)
    finally:
        sys.unraisablehook = hook
        sqlite3.enable_callback_tracebacks(False)
    assert not reasons or reason in reasons[0]


JAPANESE = st.text("富士山のがカーレ雪", min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(st.text("富士山のがカーレ雪。 abC1ｶ", max_size=12), min_size=1, max_size=5),
    query=JAPANESE,
)
def test_full_text_search_finds_exactly_the_substrings(texts: list[str], query: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        konayuki.sqlite.register(connection, MODEL)
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(grams)")
        connection.executemany("INSERT INTO words VALUES (bigrams(?))", [(t,) for t in texts])
        sql = "SELECT rowid - 1 FROM words WHERE grams MATCH bigrams_query(?) ORDER BY rowid"
        found = [row for (row,) in connection.execute(sql, (query,))]

    assert found == [n for n, text in enumerate(texts) if fold(query) in fold(text)]


MODEL = tiny_model()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("富士山", '"富士 士山"'),
        ("山", '"山" *'),
        ("GPT4の性能", '"gpt4 の性 性能"'),
        ("能がGPT4", '"能が が gpt4"'),
        ("富士 高い", '"富士" "高い"'),
        ('"OR (', '"or"'),
        ("。、", '""'),
    ],
)
def test_a_query_is_quoted_phrases(query: str, expected: str) -> None:
    assert bigrams_query(query) == expected
