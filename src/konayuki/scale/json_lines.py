"""JSON Lines into Arrow tables; unusable lines are set aside with their reasons."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from konayuki.errors import DatasetError
from konayuki.extras import require
from konayuki.rows import parse_object
from konayuki.text import is_encodable

AT_A_TIME = 8192


def lines_between(file: BinaryIO, start: int, stop: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that begin in a range of bytes, with the offset of each.

    Adjacent ranges share the lines of a file without loss and without repetition.
    """
    offset = start
    if start:
        file.seek(start - 1)
        offset += len(file.readline()) - 1  # the rest of a line that began before
    while stop is None or offset < stop:
        line = file.readline()
        if not line:
            return
        if line.strip():
            yield offset, line
        offset += len(line)


def read_table(
    lines: Iterator[tuple[int, bytes]], column: str, file: str
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the records as an Arrow table, and the unusable lines with reasons.

    A key becomes a column; values of one column that have no common type become JSON text.

    Raises:
        DatasetError: There are objects, but none of them has the column.
    """
    arrow = require("pyarrow", "scale")
    tables: list[Any] = []
    failed: list[dict[str, Any]] = []
    names: dict[str, None] = {}  # of objects without the column
    while block := list(islice(lines, AT_A_TIME)):
        records = []
        for offset, line in block:
            record, reason = _record(line, column)
            if reason:
                names |= dict.fromkeys(record)
                text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                failed.append({"file": file, "byte": offset, "reason": reason, "line": text})
            else:
                records.append(record)
        if records:
            columns = dict.fromkeys(name for record in records for name in record)
            cells = {name: _array([r.get(name) for r in records], arrow) for name in columns}
            tables.append(arrow.table(cells))
    if names and not tables:
        known = ", ".join(map(repr, names))
        raise DatasetError(f"no column {column!r}: expected one of {known}")
    return _joined(tables, column, arrow), failed


def _record(line: bytes, column: str) -> tuple[dict[str, Any], str]:
    """Return the record of a line, and the reason why it cannot be used, "" if it can.

    An unusable record is returned only if all that it lacks is the column.
    """
    try:
        record = parse_object(line)
    except ValueError as error:
        return {}, str(error)
    if column not in record:
        return record, f"no {column!r}"
    if not isinstance(record[column], str):
        return {}, f"{column!r} is {type(record[column]).__name__} instead of a string"
    # Only an escape can write a lone surrogate; the check costs as much as parsing.
    if b"\\u" in line and not is_encodable(json.dumps(record, ensure_ascii=False)):
        return {}, "a lone surrogate, which is not Unicode text"
    return record, ""


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
    column = table.schema.get_field_index(name)
    if column < 0:
        return table
    values = arrow.array(list(map(_as_text, table.column(column).to_pylist())), arrow.string())
    return table.set_column(column, name, values)


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON holds
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
