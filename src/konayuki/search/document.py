"""What an index holds: documents, checked once when they come in."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konayuki.errors import IndexFormatError, InputError
from konayuki.search.limits import (
    FREE_EXPANSION,
    MAX_EXPANSION,
    MAX_FILTER_VALUES,
    MAX_ID_BYTES,
    MAX_METADATA_CHARACTERS,
    MAX_METADATA_DEPTH,
    MAX_TEXT_CHARACTERS,
    MAX_TITLE_CHARACTERS,
)
from konayuki.search.prepared import searched_text
from konayuki.text import is_encodable

# Made once: json.dumps makes a new encoder for every call with settings of its own.
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
KEYWORDS = "keywords"  # the metadata key whose words are searched
_MOST_KEYWORDS = 1000
FIELDS = ("id", "text", "title", "metadata", "chunk_of", "heading", "position")


@dataclass(frozen=True)
class Document:
    """One searchable passage.

    Attributes:
        id: The user's key.
        text: The passage.
        title: Title of the document that it comes from; searched like the text.
        metadata: Anything that JSON can hold; scalars and lists of scalars can be filtered by.
            `keywords`, a string or a list of strings, is searched like the text.
        chunk_of: Key of the document that this passage was cut from, None for a whole document.
        heading: Path of headings above the passage, as in "Setup > Linux"; searched like the text.
        position: Place of the passage in its document, counted from 0.

    Examples:
        >>> document = index.get("fuji")
        >>> document.title, document.metadata["kind"], document.chunk_of
        ('富士山', '山', None)
    """

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    chunk_of: str | None = None
    heading: str = ""
    position: int = 0

    @property
    def searched_text(self) -> str:
        """Title, heading, text and keywords, as the lexical half sees them."""
        return searched_text(self.title, self.heading, self.text, *keywords_of(self.metadata))

    @property
    def embedded_text(self) -> str:
        """Title, heading and text: what vector and tokens are of.

        Keywords, names of files say, are words to be found by, and no part of what it says.
        """
        return searched_text(self.title, self.heading, self.text)

    @property
    def stored_metadata(self) -> str:
        """The metadata as JSON text."""
        return _JSON.encode(self.metadata) if self.metadata else "{}"


def keywords_of(metadata: Mapping[str, Any]) -> list[str]:
    """Return the words that a document is found by although its text may not have them."""
    words = metadata.get(KEYWORDS)
    listed = words if isinstance(words, list) else [words]
    return [word for word in listed[:_MOST_KEYWORDS] if isinstance(word, str)]


def read_document(record: object, number: int) -> Document:
    """Return the document that a record describes.

    Args:
        record: A mapping with `id` and `text`, and optionally the other attributes of `Document`.
        number: Place of the record in its stream, for the message of an error.

    Raises:
        InputError: A field is missing, unknown, of the wrong type or beyond one of the limits in
            `konayuki.search.limits`; the message names it.
    """
    if not isinstance(record, Mapping):
        raise InputError(
            f"record {number} is a {type(record).__name__}: expected a mapping\n"
            'hint: {"id": "1", "text": "…", "title": "…", "metadata": {…}}'
        )
    where = f"record {number} (id {_shortened(record.get('id'))})"
    for name in record:
        if name not in FIELDS:
            raise InputError(
                f"{where}: unknown field {name!r}\n"
                f"hint: fields are {', '.join(FIELDS)}; put anything else into metadata"
            )
    identity = _text(record, "id", where, required=True)
    if not identity:
        raise InputError(f"{where}: field 'id' is empty: expected a key")
    return Document(
        id=identity,
        text=_text(record, "text", where, required=True),
        title=_text(record, "title", where),
        metadata=_metadata(record, where),
        chunk_of=_text(record, "chunk_of", where) or None,
        heading=_text(record, "heading", where),
        position=_position(record, where),
    )


_LONGEST = {
    "id": MAX_ID_BYTES,
    "chunk_of": MAX_ID_BYTES,
    "title": MAX_TITLE_CHARACTERS,
    "heading": MAX_TITLE_CHARACTERS,
    "text": MAX_TEXT_CHARACTERS,
}
# More than four characters each in NFKC: Arabic ligatures and a few squared words.
_EXPANDING = {"\ufdfa": 18, "\ufdfb": 8}


def _text(record: Mapping[str, Any], name: str, where: str, *, required: bool = False) -> str:
    """Return a field that must be text which UTF-8 can write."""
    value = record.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        problem = "is missing" if name not in record else f"is a {type(value).__name__}"
        hint = f"\nhint: str({_shortened(value)})" if isinstance(value, int) else ""
        raise InputError(f"{where}: field {name!r} {problem}: expected a string{hint}")
    try:
        n_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: field {name!r} holds a lone surrogate at character {error.start}: "
            "expected text that UTF-8 can write"
        ) from error
    is_key = name in ("id", "chunk_of")
    length, unit = (n_bytes, "bytes") if is_key else (len(value), "characters")
    if length > _LONGEST[name]:
        raise InputError(
            f"{where}: field {name!r} has {length:,} {unit}: expected at most {_LONGEST[name]:,}"
        )
    expansion = sum(value.count(character) * n for character, n in _EXPANDING.items())
    if expansion > MAX_EXPANSION * len(value) + FREE_EXPANSION:
        raise InputError(
            f"{where}: field {name!r} of {len(value):,} characters has more than {expansion:,} in "
            f"NFKC: expected at most {MAX_EXPANSION} times its length"
        )
    return value


def _position(record: Mapping[str, Any], where: str) -> int:
    value = record.get("position", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise InputError(
            f"{where}: field 'position' is {_shortened(value)}: expected a number from 0"
        )
    return value


def _metadata(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the metadata as plain JSON values that nobody else can change."""
    value = record.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(
            f"{where}: field 'metadata' is a {type(value).__name__}: expected a mapping"
        )
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{where}: metadata key {key!r} is not a string")
    if is_deep(value):
        raise InputError(
            f"{where}: field 'metadata' is nested more than {MAX_METADATA_DEPTH} deep: expected "
            "flatter values"
        )
    try:
        text = _JSON.encode(dict(value))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: field 'metadata' cannot be written as JSON: {error}") from error
    if len(text) > MAX_METADATA_CHARACTERS:
        raise InputError(
            f"{where}: field 'metadata' has {len(text):,} characters as JSON: expected at most "
            f"{MAX_METADATA_CHARACTERS:,}"
        )
    result: dict[str, Any] = json.loads(text)
    return result


def is_deep(value: object) -> bool:
    """Return whether a JSON value is nested deeper than `MAX_METADATA_DEPTH`, or holds itself."""
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, Mapping | list | tuple):
            if depth > MAX_METADATA_DEPTH:
                return True
            children = item.values() if isinstance(item, Mapping) else item
            stack.extend((child, depth + 1) for child in children)
    return False


def flattened(value: object, room: int = MAX_METADATA_DEPTH) -> object:
    """Return a JSON value in which an ellipsis replaces what is deeper than `room` levels."""
    if isinstance(value, dict | list) and room == 0:
        return "…"
    if isinstance(value, dict):
        return {key: flattened(item, room - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [flattened(item, room - 1) for item in value]
    return value


def _shortened(value: object) -> str:
    """Return a value for a message: whoever sent a megabyte does not need it back."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits
        return f"a {type(value).__name__} too large to show"
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def facts_of(metadata: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the (key, value) pairs that a filter can ask for.

    A list gives one pair per scalar in it; nested values give none.
    """
    facts = set()
    for key, value in metadata.items():
        for item in value if isinstance(value, list) else (value,):
            if item is None or isinstance(item, str | int | float):
                facts.add((key, canonical(item)))
    return facts


def canonical(value: str | float | bool | None) -> str:
    """Return a scalar as filters compare it: 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _JSON.encode(value)


def read_fact(value: object, path: Path) -> Any:  # noqa: ANN401 - a scalar of JSON
    """Return the scalar that a stored fact stands for.

    Raises:
        IndexFormatError: It is not JSON, as in a file made to hurt.
    """
    try:
        return json.loads(stored_text(value, path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, IndexFormatError):
            raise
        raise IndexFormatError(f"{path}: facts: {error}: expected JSON") from error


def stored_text(value: object, path: Path) -> str:
    """Return a stored value that must be text.

    Raises:
        IndexFormatError: It is not.
    """
    if not isinstance(value, str):
        raise IndexFormatError(
            f"{path}: {str(value)[:100]!r} is a {type(value).__name__}: expected text"
        )
    return value


def read_filter(where: Mapping[str, Any] | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return a filter as (key, allowed canonical values) pairs that must all hold.

    Raises:
        InputError: The filter is not a mapping of keys to scalars or lists of scalars.
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise InputError(
            f'where is {_shortened(where)}: expected a mapping\nhint: where={{"lang": "ja"}}'
        )
    conditions = [(_filter_key(key), _allowed(key, value)) for key, value in where.items()]
    n_values = sum(len(allowed) for _, allowed in conditions)
    if n_values + len(conditions) > MAX_FILTER_VALUES:
        raise InputError(
            f"where: {len(conditions):,} keys with {n_values:,} values: expected at most "
            f"{MAX_FILTER_VALUES:,} of both"
        )
    return tuple(sorted(conditions))


def _filter_key(key: object) -> str:
    if not isinstance(key, str) or not is_encodable(key):
        raise InputError(f"where: key {_shortened(key)}: expected a string that UTF-8 can write")
    return key


def _allowed(key: str, value: object) -> tuple[str, ...]:
    items = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    for item in items:
        scalar = item is None or isinstance(item, str | int | float)
        if isinstance(item, str) and not is_encodable(item):
            raise InputError(f"where: {key!r} is {_shortened(item)}: holds a lone surrogate")
        if not scalar or (isinstance(item, float) and not math.isfinite(item)):
            raise InputError(
                f"where: {key!r} is {_shortened(value)}: expected a string, number, boolean, None "
                "or a list of these"
            )
    try:
        return tuple(sorted({canonical(item) for item in items}))
    except ValueError as error:  # an integer that Python does not write out
        raise InputError(f"where: {key!r}: {error}: expected a smaller number") from error
