"""The arguments of `Index`, checked once at its public edge."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.arrays import FloatVector, unit_rows
from konayuki.choices import MODES, SORTS
from konayuki.errors import InputError
from konayuki.search.limits import MAX_QUERY_CHARACTERS
from konayuki.search.notes import Source
from konayuki.search.query import FIELDS, Condition, Query, has_tokens, is_day
from konayuki.text import is_encodable


def check_search(query: object, k: object, mode: object, sort: object = "score") -> None:
    """Refuse a query, a number of hits, a mode or an order that cannot be used."""
    if isinstance(query, Query):
        _check_parts(query)
    else:
        _check_text(query)
    check_count(k)
    if mode not in MODES:
        raise InputError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")
    if sort not in SORTS:
        raise InputError(f"sort is {sort!r}: expected one of {', '.join(SORTS)}")


def check_count(k: object) -> None:
    """Refuse a number of hits that cannot be used."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise InputError(f"k is {k!r}: expected a whole number from 0")


def _check_text(query: object) -> None:
    if not isinstance(query, str):
        raise InputError(f"query is a {type(query).__name__}: expected a string or a Query")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputError(
            f"query has {len(query):,} characters: expected at most {MAX_QUERY_CHARACTERS:,}"
        )
    if not is_encodable(query):
        raise InputError(f"query {query!r} holds a lone surrogate: expected text for UTF-8")


def _check_parts(query: Query) -> None:
    """Refuse a query that was put together by hand and cannot be used."""
    _check_text(query.text)
    for phrase in (*query.phrases, *query.exclusions):
        _check_text(phrase)
        if not has_tokens(phrase):
            raise InputError(f"phrase {phrase!r}: expected a letter, a digit or a symbol in it")
    for condition in query.conditions:
        if not isinstance(condition, Condition) or condition.field not in FIELDS:
            raise InputError(
                f"condition {condition!r}: expected a Condition with one of the fields "
                f"{', '.join(FIELDS)}"
            )
        for value in condition.values:
            _check_text(value)
        if condition.field in ("after", "before") and not is_day(condition.values):
            raise InputError(
                f"{condition.field}: {condition.values!r}: expected one date as YYYY-MM-DD"
            )


def check_relevance(min_relevance: object, *, has_relevance: bool) -> None:
    """Refuse a threshold outside 0 to 1, or one that no hit could meet."""
    number = isinstance(min_relevance, int | float) and not isinstance(min_relevance, bool)
    if not number or not 0 <= min_relevance <= 1:  # type: ignore[operator]
        raise InputError(f"min_relevance is {min_relevance!r}: expected a number from 0 to 1")
    if min_relevance and not has_relevance:
        raise InputError(
            f"min_relevance is {min_relevance!r}: expected 0 without a second look\n"
            'hint: hits have a relevance in mode "hybrid" with rerank=True and a static model'
        )


def no_tokens(folder: Path, min_relevance: float) -> InputError:
    """Return the error of a threshold that an index without tokens cannot apply."""
    return InputError(
        f"min_relevance is {min_relevance!r}: expected 0, for {folder / 'tokens'} is missing or "
        "damaged and may only be read, so hits have no relevance\n"
        "hint: open the index once with the right to write: that makes them again"
    )


def check_per_document(per_document: object) -> None:
    """Refuse a number of passages of a document that is not a whole number from 1, or None."""
    number = isinstance(per_document, int) and not isinstance(per_document, bool)
    if per_document is not None and (not number or per_document < 1):  # type: ignore[operator]
        raise InputError(f"per_document is {per_document!r}: expected a whole number from 1")


def check_records(records: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Return the records, unless they are one record or a string."""
    if isinstance(records, Mapping | str | bytes):
        raise InputError(
            f"records is a {type(records).__name__}: expected an iterable of mappings\n"
            'hint: index.add([{"id": "1", "text": "…"}])'
        )
    return records


def checked_ids(ids: Iterable[str]) -> list[str]:
    """Return those ids that a document can have."""
    if isinstance(ids, str):
        raise InputError(f"ids is the string {ids!r}: expected a list of ids\nhint: [{ids!r}]")
    keys = list(ids)
    for key in keys:
        if not isinstance(key, str):
            raise InputError(f"id {key!r} is a {type(key).__name__}: expected a string")
    return [key for key in keys if is_encodable(key)]


def is_key(key: object) -> bool:
    """Return whether something can be the key of a document or of metadata."""
    return isinstance(key, str) and is_encodable(key)


def checked_vector(vector: object, dim: int) -> FloatVector:
    """Return a vector at length 1; a zero vector stays.

    Raises:
        InputError: It is not a vector of that many finite numbers.
    """
    try:
        values = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"vector cannot be read: {error}: expected {dim} numbers") from None
    if values.shape != (dim,):
        raise InputError(f"vector has the shape {values.shape}: expected ({dim},)")
    if not np.isfinite(values).all():
        raise InputError("vector has a number that is not finite: expected finite ones")
    unit: FloatVector = unit_rows(values[np.newaxis])[0]
    return unit


def checked_sources(sources: object) -> Mapping[str, Source | None]:
    """Return files to note, or to forget.

    Raises:
        InputError: They are not a mapping of paths to a `Source` or None.
    """
    if not isinstance(sources, Mapping):
        raise InputError(f"sources is a {type(sources).__name__}: expected a mapping")
    for path, source in sources.items():
        parts = source if isinstance(source, Source) else () if source is None else (source,)
        if not all(map(is_key, (path, *parts))) or isinstance(source, str):
            raise InputError(
                f"sources: {path!r}: {source!r}: expected a path and a Source or None, as text "
                "that UTF-8 can write"
            )
    return sources
