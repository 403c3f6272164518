"""Tables of texts that are read more than once: JSON Lines, CSV, TSV and Parquet."""

import csv
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.files import replacing
from konayuki.rows import SUFFIXES, Row, read_rows

Change = Callable[[int, dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class TextTable:
    """A file with a text in every row.

    Attributes:
        path: The file.
        column: The column that holds the texts.

    Raises:
        NotFoundError: The file does not exist, or is a folder.
        InputError: Its suffix is not one of `SUFFIXES`.
    """

    path: Path
    column: str = "text"

    def __post_init__(self) -> None:
        suffixes = ", ".join(SUFFIXES)
        if self.path.is_dir():
            raise NotFoundError(
                f"{self.path} is a folder: expected one file ({suffixes})\n"
                "hint: a folder of text files is read by konayuki index"
            )
        if not self.path.is_file():
            raise NotFoundError(f"{self.path} does not exist: expected a file ({suffixes})")
        if not self.path.name.endswith(SUFFIXES):
            raise InputError(f"{self.path} has an unknown suffix: expected one of {suffixes}")

    def rows(self) -> Iterator[Row]:
        """Yield the rows."""
        return read_rows(self.path)

    def texts(self) -> Iterator[str]:
        """Yield the text of every row.

        Raises:
            DatasetError: A text is null or missing; the message names the row.
        """
        for row in self.rows():
            yield row.text(self.column)

    def texts_at(self, rows: set[int]) -> dict[int, str]:
        """Return the texts of some rows, counted from 0."""
        return {row: text for row, text in enumerate(self.texts()) if row in rows}

    def write(self, target: Path, change: Change) -> int:
        """Write the rows that `change` returns, and return their number; None drops a row.

        The target appears when it is whole. Parquet stays Parquet, with its types.

        Raises:
            InputError: The target has neither the format of the file nor .jsonl.
            WriteError: The target cannot be written.
        """
        same_format = ".csv" if self.path.suffix == ".tsv" else self.path.suffix
        suffixes = [suffix for suffix in _WRITERS if suffix in {same_format, ".jsonl"}]
        if target.suffix not in suffixes:
            expected = " or ".join(suffixes)
            raise InputError(f"cannot write {target} from {self.path.name}: expected {expected}")
        with replacing(target) as partial:
            return _WRITERS[target.suffix](self, partial, change)

    def changed(self, change: Change) -> Iterator[dict[str, Any]]:
        """Yield the rows that `change` returns."""
        for number, row in enumerate(self.rows()):
            values = change(number, dict(row.values))
            if values is not None:
                yield values


def _write_lines(table: TextTable, path: Path, change: Change) -> int:
    n_rows = 0
    with path.open("w", encoding="utf-8") as file:
        for values in table.changed(change):
            file.write(json.dumps(values, ensure_ascii=False, default=str) + "\n")
            n_rows += 1
    return n_rows


def _write_delimited(table: TextTable, path: Path, change: Change) -> int:
    n_rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        header: list[str] = []
        for values in table.changed(change):
            if not header:
                header = list(values)
                writer.writerow(header)
            writer.writerow([values.get(name, "") for name in header])
            n_rows += 1
    return n_rows


def _write_parquet(table: TextTable, path: Path, change: Change) -> int:
    """Write batch by batch; a column that `change` adds comes last."""
    arrow, parquet = require("pyarrow", "scale"), require("pyarrow.parquet", "scale")
    number = n_rows = 0
    writer = None
    with parquet.ParquetFile(table.path) as file:
        for batch in file.iter_batches(8192):
            rows, added = [], []
            for row, values in enumerate(batch.to_pylist()):
                changed = change(number + row, dict(values))
                if changed is not None:
                    rows.append(row)
                    added.append({k: v for k, v in changed.items() if k not in values})
            number += batch.num_rows
            part = arrow.Table.from_batches([batch.take(arrow.array(rows, arrow.int64()))])
            for name in dict.fromkeys(name for new in added for name in new):
                part = part.append_column(name, arrow.array([new[name] for new in added]))
            writer = writer or parquet.ParquetWriter(path, part.schema)
            writer.write_table(part)
            n_rows += part.num_rows
        if writer is None:
            parquet.write_table(file.schema_arrow.empty_table(), path)
        else:
            writer.close()
    return n_rows


_WRITERS = {
    ".jsonl": _write_lines,
    ".csv": _write_delimited,
    ".parquet": _write_parquet,
}


@contextmanager
def open_table(name: str, column: str) -> Iterator[TextTable]:
    """Give the table of a file, or of JSON Lines on stdin for "-".

    Tables are read more than once, so stdin goes to a temporary file first.

    Raises:
        NotFoundError: The file does not exist.
        InputError: The file is not a table.
    """
    if name != "-":
        yield TextTable(Path(name), column)
        return
    with TemporaryDirectory(prefix="konayuki-") as folder:
        path = Path(folder) / "stdin.jsonl"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield TextTable(path, column)


def check_texts(texts: object) -> None:
    """Refuse a single string if texts are expected.

    Raises:
        InputError: `texts` is a string.
    """
    if isinstance(texts, str):
        raise InputError("texts is one string: expected an iterable of strings")
