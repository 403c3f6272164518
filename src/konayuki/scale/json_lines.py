"""JSON lines into Arrow tables; what is no record is kept aside with its reason."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from konayuki.errors import DatasetError
from konayuki.extras import require

Record = dict[str, Any]
AT_A_TIME = 8192


def lines_between(file: BinaryIO, start: int, stop: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that begin in a range of bytes, with the place of each.

    Ranges that touch share the lines of a file without loss and without repetition.
    """
    place = start
    if start:
        file.seek(start - 1)
        place += len(file.readline()) - 1  # the rest of a line that began before
    while stop is None or place < stop:
        line = file.readline()
        if not line:
            return
        if line.strip():
            yield place, line
        place += len(line)


def read_table(
    lines: Iterator[tuple[int, bytes]], column: str, file: str
) -> tuple[Any, list[Record]]:
    """Return the records as an Arrow table, and the lines that are no record with reasons.

    A key becomes a column; values of one column that have no common type become JSON text.

    Raises:
        DatasetError: objects are there, and not one of them has the column.
    """
    arrow = require("pyarrow", "scale")
    tables: list[Any] = []
    failed: list[Record] = []
    names: dict[str, None] = {}  # of objects without the column
    while block := list(islice(lines, AT_A_TIME)):
        records = []
        for place, line in block:
            record, reason = _record(line, column)
            if reason:
                names |= dict.fromkeys(record)
                text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                failed.append({"file": file, "byte": place, "reason": reason, "line": text})
            else:
                records.append(record)
        if records:
            tables.append(_table(records, arrow))
    if names and not tables:
        have = ", ".join(map(repr, names))
        raise DatasetError(f"no column {column!r}; the columns are {have}")
    return _joined(tables, column, arrow), failed


def _record(line: bytes, column: str) -> tuple[Record, str]:
    """Return the record of a line, and the reason where it cannot be used.

    Of what cannot be used, only an object without the column comes back with the reason.
    """
    try:
        record = json.loads(line)
    except UnicodeDecodeError as error:
        return {}, f"byte {error.start} of the line is not UTF-8"
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON: {error}"
    if not isinstance(record, dict):
        return {}, f"{type(record).__name__} instead of an object"
    if column not in record:
        return record, f"no {column!r}"
    if not isinstance(record[column], str):
        return {}, f"{column!r} is {type(record[column]).__name__} instead of a string"
    if b"\\u" in line and not _is_unicode(record):
        return {}, "a lone surrogate, which is no Unicode text"
    return record, ""


def _is_unicode(record: Record) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _table(records: list[Record], arrow: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    names = dict.fromkeys(name for record in records for name in record)
    return arrow.table({name: _array([r.get(name) for r in records], arrow) for name in names})


def _array(values: list[Any], arrow: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        return arrow.array(values)
    except (arrow.ArrowException, OverflowError):
        return arrow.array(list(map(_as_text, values)), arrow.string())


def _joined(tables: list[Any], column: str, arrow: Any) -> Any:  # noqa: ANN401 - pyarrow
    if not tables:
        return arrow.table({column: arrow.array([], arrow.string())})
    for name in dict.fromkeys(name for table in tables for name in table.column_names):
        fields = [table.schema.field(name) for table in tables if name in table.column_names]
        try:
            arrow.unify_schemas(
                [arrow.schema([field]) for field in fields], promote_options="permissive"
            )
        except arrow.ArrowException:
            tables = [_with_text(table, name, arrow) for table in tables]
    return arrow.concat_tables(tables, promote_options="permissive")


def _with_text(table: Any, name: str, arrow: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    place = table.schema.get_field_index(name)
    if place < 0:
        return table
    values = arrow.array(list(map(_as_text, table.column(place).to_pylist())), arrow.string())
    return table.set_column(place, name, values)


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON holds
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
