"""konayuki in SQL: functions for a connection of DuckDB.

import duckdb
from konayuki.integrations.duckdb import register

connection = duckdb.connect()
register(connection)
question = "cosine(embed(text), embed('一番高い山'))"
connection.sql(f"SELECT text FROM notes ORDER BY {question} DESC LIMIT 3")
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.integrations.bigrams import bigrams
from konayuki.integrations.models import ModelLike, model_of

require("duckdb", "duckdb")
require("pyarrow", "duckdb")

import duckdb  # noqa: E402 - after the gate
import pyarrow as pa  # noqa: E402

# The built-in function has NaN for a zero vector, which sorts above every number.
_COSINE = """
CREATE OR REPLACE TEMP MACRO cosine(a, b) AS
CASE WHEN a IS NULL OR b IS NULL THEN NULL
ELSE coalesce(nullif(list_cosine_similarity(a::FLOAT[], b::FLOAT[]), 'nan'::FLOAT), 0) END
"""


def register(connection: "duckdb.DuckDBPyConnection", model: ModelLike = None) -> None:
    """Give a connection the functions of konayuki, until it is closed.

    - `embed(text)`, `embed(text, dim)`: the unit vector of a text, FLOAT[].
    - `cosine(a, b)`: of two vectors, from -1 to 1; 0 if one of them is zero.
    - `bigrams(text)`: pairs of characters between spaces, for exact search in Japanese.

    NULL gives NULL. Texts are encoded by the column, 2,048 at a time.

    Args:
        connection: The connection.
        model: A model, its folder or its hub id; default: the bundled model.

    Raises:
        InputError: The connection has the functions already.
    """
    functions: list[tuple[str, Callable[..., Any], Any, str]] = [
        ("embed", _embed_function(model), None, "FLOAT[]"),
        ("bigrams", _bigrams_of_column, ["VARCHAR"], "VARCHAR"),
    ]
    for name, function, parameters, result in functions:
        try:
            connection.create_function(
                name, function, parameters, result, type="arrow", null_handling="special"
            )
        except duckdb.Error as error:
            raise InputError(
                f"function {name}: {error}: expected a connection without it"
            ) from error
    connection.execute(_COSINE)


def _embed_function(model: ModelLike) -> Callable[..., Any]:
    loaded = model_of(model)

    def embed(*columns: Any) -> Any:  # noqa: ANN401 - arrays of an optional package
        if not 1 <= len(columns) <= 2:
            raise InputError(f"embed has {len(columns)} arguments: expected a text and perhaps dim")
        texts = columns[0].cast(pa.string()).to_pylist()
        dims = set(columns[1].to_pylist()) if len(columns) == 2 else {None}
        if len(dims) > 1:
            raise InputError("dim differs between rows: expected one number")
        vectors = loaded.encode([text or "" for text in texts], dim=dims.pop() if dims else None)
        offsets = np.arange(len(texts) + 1, dtype=np.int32) * vectors.shape[1]
        missing = pa.array([text is None for text in texts], pa.bool_())
        return pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()), mask=missing)

    return embed


def _bigrams_of_column(texts: Any) -> Any:  # noqa: ANN401 - arrays of an optional package
    column = (None if text is None else bigrams(text) for text in texts.to_pylist())
    return pa.array(column, pa.string())
