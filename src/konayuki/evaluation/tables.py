"""Rows of Parquet, JSON Lines, TSV and CSV files, each with the place that an error names."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

from konayuki.errors import DatasetError
from konayuki.extras import require

SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".tsv", ".csv")


class _Unquoted(csv.Dialect):
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
            DatasetError: the row lacks the column or holds something else.
        """
        value = self.value(column)
        if not isinstance(value, str):
            raise DatasetError(
                f"{self.place}: {column!r} is {value!r} ({type(value).__name__}); expected a string"
            )
        return value

    def key(self, column: str) -> str:
        """Return the id in a column as a string; whole numbers count as ids."""
        value = self.value(column)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise DatasetError(f"{self.place}: {column!r} is {value!r}; expected an id (a string)")
        return str(value)

    def value(self, column: str) -> Any:  # noqa: ANN401 - the type of a cell is what is checked
        """Return what a column holds.

        Raises:
            DatasetError: the row lacks the column.
        """
        try:
            return self.values[column]
        except KeyError:
            have = ", ".join(map(repr, self.values)) or "none"
            raise DatasetError(
                f"{self.place}: no column {column!r}; the columns are {have}"
            ) from None


def find_table(folder: Path, stem: str) -> Path | None:
    """Return the file `stem` with one of the known suffixes, or None."""
    for suffix in SUFFIXES:
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def read_rows(path: Path, label: str | None = None) -> Iterator[Row]:
    """Yield the rows of a table; errors call it `label` (the file name unless given).

    Raises:
        DatasetError: the file is not what its suffix promises.
    """
    label = label or path.name
    if path.suffix == ".parquet":
        return _parquet_rows(path, label)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _jsonl_rows(path, label)
    return _delimited_rows(path, label, csv.excel if path.suffix == ".csv" else _Unquoted)


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


def _jsonl_rows(path: Path, label: str) -> Iterator[Row]:
    with _open_text(path) as file:
        for number, line in enumerate(_decoded_lines(file, label), start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except json.JSONDecodeError as error:
                raise DatasetError(f"{label} line {number} is not JSON: {error}") from error
            if not isinstance(values, dict):
                raise DatasetError(f"{label} line {number}: expected an object, not {values!r:.60}")
            yield Row(values, label, number)


def _delimited_rows(path: Path, label: str, dialect: type[csv.Dialect]) -> Iterator[Row]:
    with _open_text(path) as file:
        lines = csv.reader(_decoded_lines(file, label), dialect)
        header = next(lines, None)
        if header is None:
            return
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise DatasetError(
                    f"{label} line {lines.line_num} has {len(cells)} cells; "
                    f"the header has {len(header)}: {', '.join(map(repr, header))}"
                )
            yield Row(dict(zip(header, cells, strict=True)), label, lines.line_num)


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
