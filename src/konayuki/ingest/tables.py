"""CSV, TSV and JSON Lines into rows."""

import csv
import io
from collections.abc import Iterator

from konayuki.errors import FormatError
from konayuki.ingest.outline import BadRows, Item
from konayuki.rows import delimited_rows, json_rows
from konayuki.text import decode

_HEADER_CHARACTERS = 10_000  # in which the separator of a table is looked for


class _Comma(csv.excel):
    strict = True


class _Semicolon(_Comma):
    delimiter = ";"


class _Tab(_Comma):
    delimiter = "\t"


def read_csv(content: bytes, name: str) -> Iterator[Item]:
    """Yield the rows of a CSV file, whose cells may also be separated by semicolons or tabs."""
    text = decode(content, name)
    return _rows(text, name, _dialect(text))


def read_tsv(content: bytes, name: str) -> Iterator[Item]:
    """Yield the rows of a TSV file."""
    return _rows(decode(content, name), name, _Tab)


def read_json_lines(content: bytes, name: str) -> Iterator[Item]:
    """Yield the objects of JSON Lines."""
    bad = BadRows()
    # Not splitlines: a JSON string may hold U+2028 and its kin unescaped.
    yield from json_rows(decode(content, name).split("\n"), name, bad.add)
    if bad.number:
        yield bad


def _rows(text: str, name: str, dialect: type[csv.Dialect]) -> Iterator[Item]:
    if not text.strip():
        raise FormatError(f"{name}: columns are missing: expected a header")
    bad = BadRows()
    yield from delimited_rows(io.StringIO(text, newline=""), name, dialect, bad.add)
    if bad.number:
        yield bad


def _dialect(text: str) -> type[csv.Dialect]:
    """Return the dialect whose separator the header has most often; Excel writes all three."""
    header = text[:_HEADER_CHARACTERS].partition("\n")[0]
    return max((_Comma, _Semicolon, _Tab), key=lambda dialect: header.count(dialect.delimiter))
