"""Tables of texts that are read more than once: JSON Lines, CSV, TSV and Parquet."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.rows import SUFFIXES, Row, read_rows

Change = Callable[[int, dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class TextTable:
    """A file with a text in every row.

    Attributes:
        path: the file.
        column: where the texts are.

    Raises:
        NotFoundError: it is not there.
        InputError: it is of another kind.
    """

    path: Path
    column: str = "text"

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise NotFoundError(f"{self.path} is not there: expected a file")
        if not self.path.name.endswith(SUFFIXES):
            known = ", ".join(SUFFIXES)
            raise InputError(f"{self.path} is of no known kind: expected one of {known}")

    def rows(self) -> Iterator[Row]:
        """Yield the rows."""
        return read_rows(self.path)

    def texts(self) -> Iterator[str]:
        """Yield the text of every row; one that is null or missing is an error.

        Raises:
            DatasetError: the message names the row.
        """
        for row in self.rows():
            yield row.text(self.column)

    def texts_at(self, wanted: set[int]) -> dict[int, str]:
        """Return the texts of some rows, counted from 0."""
        return {row: text for row, text in enumerate(self.texts()) if row in wanted}

    def write(self, target: Path, change: Change) -> int:
        """Write the rows as `change` gives them back, None for none; return their number.

        The target appears when it is whole. Parquet stays Parquet, with its types.

        Raises:
            InputError: the target is of another kind than the file and not .jsonl.
        """
        own = ".csv" if self.path.suffix == ".tsv" else self.path.suffix
        if target.suffix not in {own, ".jsonl"} or target.suffix not in _WRITERS:
            raise InputError(
                f"cannot write {target} from {self.path.name}: "
                "expected .jsonl or a file of its kind"
            )
        partial = target.with_name(f".{target.name}.partial")
        try:
            n_rows = _WRITERS[target.suffix](self, partial, change)
            partial.replace(target)
        except FileNotFoundError as error:
            raise NotFoundError(f"cannot write {target}: {error.strerror}") from None
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()
        return n_rows

    def changed(self, change: Change) -> Iterator[dict[str, Any]]:
        """Yield the rows that `change` gives back."""
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
    """Write what is kept batch by batch; a column that `change` adds comes last."""
    arrow, parquet = require("pyarrow", "scale"), require("pyarrow.parquet", "scale")
    number = n_rows = 0
    writer = None
    with parquet.ParquetFile(table.path) as file:
        for batch in file.iter_batches(8192):
            kept, added = [], []
            for place, values in enumerate(batch.to_pylist()):
                changed = change(number + place, dict(values))
                if changed is not None:
                    kept.append(place)
                    added.append({k: v for k, v in changed.items() if k not in values})
            number += batch.num_rows
            part = arrow.Table.from_batches([batch.take(arrow.array(kept, arrow.int64()))])
            for name in _names(added):
                part = part.append_column(name, arrow.array([new[name] for new in added]))
            writer = writer or parquet.ParquetWriter(path, part.schema)
            writer.write_table(part)
            n_rows += part.num_rows
        if writer is None:
            parquet.write_table(file.schema_arrow.empty_table(), path)
        else:
            writer.close()
    return n_rows


def _names(records: list[dict[str, Any]]) -> Mapping[str, None]:
    return dict.fromkeys(name for record in records for name in record)


_WRITERS = {
    ".jsonl": _write_lines,
    ".csv": _write_delimited,
    ".parquet": _write_parquet,
}


def check_texts(texts: object) -> None:
    """Refuse one string where texts are expected.

    Raises:
        InputError: it is a string.
    """
    if isinstance(texts, str):
        raise InputError("texts is one string: expected an iterable of strings")
