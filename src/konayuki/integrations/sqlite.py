"""konayuki in SQL: functions for a connection of Python's own `sqlite3`.

import sqlite3
import konayuki

connection = sqlite3.connect("notes.db")
konayuki.sqlite.register(connection)
connection.execute("SELECT text FROM notes ORDER BY cosine(embed(text), '一番高い山') DESC LIMIT 3")
"""

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from konayuki.arrays import FloatVector
from konayuki.errors import InputError
from konayuki.integrations.bigrams import bigrams, bigrams_query
from konayuki.integrations.models import ModelLike, model_of
from konayuki.model import StaticModel

_REMEMBERED = 64  # vectors of questions: a query asks for the same one in every row
_DTYPE = np.dtype("<f4")


def register(connection: sqlite3.Connection, model: ModelLike = None) -> None:
    """Give a connection the functions of konayuki, until it is closed.

    - `embed(text)`, `embed(text, dim)`: the unit vector of a text, a BLOB of little-endian float32.
    - `cosine(a, b)`: from -1 to 1; each side is such a BLOB, or a text.
    - `bigrams(text)`: what a column of an FTS5 table takes for exact search in Japanese.
    - `bigrams_query(text)`: the expression that finds a string there, for `MATCH`.

    NULL gives NULL. SQLite says only that a function failed, not why;
    `sqlite3.enable_callback_tracebacks(True)` prints the reason.

    Args:
        connection: The connection.
        model: A model, its folder or its hub id; default: the bundled model.
    """
    functions = _Functions(model_of(model))
    named: list[tuple[str, int, Callable[..., Any]]] = [
        ("embed", 1, functions.embed),
        ("embed", 2, functions.embed),
        ("cosine", 2, functions.cosine),
        ("bigrams", 1, _on_text(bigrams)),
        ("bigrams_query", 1, _on_text(bigrams_query)),
    ]
    for name, n_arguments, function in named:
        connection.create_function(name, n_arguments, function, deterministic=True)


class _Functions:
    """The functions that need a model."""

    def __init__(self, model: StaticModel) -> None:
        self._model = model
        self._remembered = lru_cache(_REMEMBERED)(self._vector)

    def embed(self, text: object, dim: object = None) -> bytes | None:
        """Return the vector of a text as a BLOB."""
        if text is None:
            return None
        if dim is not None and not isinstance(dim, int):
            raise InputError(f"dim is {dim!r}: expected a whole number")
        return self._vector(_checked(text), dim).tobytes()

    def cosine(self, a: object, b: object) -> float | None:
        """Return the cosine of two vectors or texts; 0 if one of them is zero."""
        if a is None or b is None:
            return None
        sizes = [len(side) // _DTYPE.itemsize for side in (a, b) if isinstance(side, bytes)]
        dim = sizes[0] if sizes else None
        left, right = self._side(a, dim), self._side(b, dim)
        if left.shape != right.shape:
            raise InputError(f"cosine of {len(left)} and {len(right)} dimensions: expected equal")
        length = float(np.linalg.norm(left) * np.linalg.norm(right))
        return float(left @ right) / length if length else 0.0

    def _side(self, value: object, dim: int | None) -> FloatVector:
        if isinstance(value, bytes):
            if len(value) % _DTYPE.itemsize:
                raise InputError(f"a vector has {len(value)} bytes: expected a multiple of 4")
            return np.frombuffer(value, _DTYPE)
        return self._remembered(_checked(value), dim)

    def _vector(self, text: str, dim: int | None) -> FloatVector:
        vector: FloatVector = self._model.encode(text, dim=dim).astype(_DTYPE)
        return vector


def _on_text(function: Callable[[str], str]) -> Callable[[object], str | None]:
    return lambda text: None if text is None else function(_checked(text))


def _checked(text: object) -> str:
    """Return text as it is, and numbers as SQLite writes them."""
    if isinstance(text, str):
        return text
    if isinstance(text, int | float):
        return str(text)
    raise InputError(f"a {type(text).__name__}: expected text")
