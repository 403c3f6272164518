"""Rows of Parquet, JSON Lines, TSV and CSV, each with the place that an error names."""

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

from konayuki.errors import DatasetError
from konayuki.extras import require

SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".tsv", ".csv")


class UnquotedTsv(csv.Dialect):
    """BEIR's TSV files quote nothing: a text may start with a quotation mark of its own."""

    delimiter = "\t"
    lineterminator = "\n"
    quoting = csv.QUOTE_NONE


class Row(NamedTuple):
    """One row: its values by column, and where it stands."""

    values: Mapping[str, Any]
    file: str
    number: int  # 1-based: the row of a table, the line of a text file

    @property
    def place(self) -> str:
        """The file and row, as an error names them."""
        unit = "row" if self.file.endswith(".parquet") or "." not in self.file else "line"
        return f"{self.file} {unit} {self.number}"

    def text(self, column: str) -> str:
        """Return the string in a column.

        Raises:
            DatasetError: The row lacks the column or holds something else.
        """
        value = self.value(column)
        if not isinstance(value, str):
            raise DatasetError(
                f"{self.place}: {column!r} is {value!r} ({type(value).__name__}): expected a string"
            )
        return value

    def key(self, column: str) -> str:
        """Return the id in a column as a string; whole numbers count as ids.

        Raises:
            DatasetError: The row lacks the column or holds something else.
        """
        value = self.value(column)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise DatasetError(f"{self.place}: {column!r} is {value!r}: expected an id (a string)")
        return str(value)

    def value(self, column: str) -> Any:  # noqa: ANN401 - the caller checks the type of a cell
        """Return what a column holds.

        Raises:
            DatasetError: The row lacks the column.
        """
        try:
            return self.values[column]
        except KeyError:
            columns = ", ".join(map(repr, self.values)) or "none"
            raise DatasetError(
                f"{self.place}: no column {column!r}: the columns are {columns}"
            ) from None


def find_table(folder: Path, stem: str) -> Path | None:
    """Return the file `stem` with one of `SUFFIXES`, or None if there is none."""
    paths = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def read_rows(path: Path, label: str | None = None) -> Iterator[Row]:
    """Yield the rows of a table.

    Args:
        path: The file; its suffix, one of `SUFFIXES`, says what it is.
        label: What errors call it; default: the name of the file.

    Raises:
        DatasetError: The file is not what its suffix promises.
    """
    label = label or path.name
    if path.suffix == ".parquet":
        return _parquet_rows(path, label)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _text_rows(path, label, json_rows)
    dialect = csv.excel if path.suffix == ".csv" else UnquotedTsv
    return _text_rows(path, label, lambda lines, label: delimited_rows(lines, label, dialect))


def parse_object(line: str | bytes) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises:
        ValueError: It is not JSON, too deep, not UTF-8 or not an object; the message says which.
    """
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} of the line is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} instead of an object")
    return value


OnError = Callable[[DatasetError], None]


def json_rows(lines: Iterable[str], label: str, on_error: OnError | None = None) -> Iterator[Row]:
    """Yield the objects of JSON Lines; empty lines are skipped.

    Args:
        lines: The lines.
        label: What errors call them.
        on_error: Takes the error of a bad line, which then is skipped; default: raise it.

    Raises:
        DatasetError: A line is not a JSON object.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield Row(parse_object(line), label, number)
            except ValueError as error:
                message = f"{label} line {number}: {error}: expected a JSON object"
                _refuse(DatasetError(message), error, on_error)


def delimited_rows(
    lines: Iterable[str],
    label: str,
    dialect: str | type[csv.Dialect] = csv.excel,
    on_error: OnError | None = None,
) -> Iterator[Row]:
    """Yield the rows of delimited text behind its header.

    Args:
        lines: The lines with their line ends.
        label: What errors call them.
        dialect: How cells are separated and quoted.
        on_error: Takes the error of a bad row, which then is skipped; default: raise it.

    Raises:
        DatasetError: A row has more or fewer cells than the header, or does not follow the dialect.
    """
    # Of the whole process: csv refuses cells of more than 128 KB otherwise.
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))
    table = csv.reader(lines, dialect)
    header: list[str] | None = None
    while True:
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"{label} line {table.line_num}: {error}"
            _refuse(DatasetError(message), error, on_error)
            continue
        if header is None:
            header = cells
        elif cells and len(cells) != len(header):
            message = (
                f"{label} line {table.line_num} has {len(cells)} cells: "
                f"the header has {len(header)}: {', '.join(map(repr, header))}"
            )
            _refuse(DatasetError(message), None, on_error)
        elif cells:
            yield Row(dict(zip(header, cells, strict=True)), label, table.line_num)


def _refuse(error: DatasetError, cause: Exception | None, on_error: OnError | None) -> None:
    if on_error is None:
        raise error from cause
    on_error(error)


def _parquet_rows(path: Path, label: str) -> Iterator[Row]:
    parquet, arrow = require("pyarrow.parquet", "eval"), require("pyarrow", "eval")
    try:
        with parquet.ParquetFile(path) as file:
            numbers = count(1)
            for batch in file.iter_batches(batch_size=8192):
                for values in batch.to_pylist():
                    yield Row(values, label, next(numbers))
    except (arrow.ArrowException, OSError) as error:
        raise DatasetError(f"{label} is not a Parquet file that can be read: {error}") from error


def _text_rows(path: Path, label: str, rows: Any) -> Iterator[Row]:  # noqa: ANN401 - one of ours
    with _open_text(path) as file:
        yield from rows(_decoded_lines(file, label), label)


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _decoded_lines(file: TextIO, label: str) -> Iterator[str]:
    """Yield lines; a file that is not UTF-8 or a broken archive is an error that names it."""
    try:
        yield from file
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise DatasetError(f"{label} is not UTF-8 text that can be read: {error}") from error
