"""Passages with vectors, from an index or from embedded files, for other engines to take."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import unit_rows
from konayuki.errors import DatasetError, InputError
from konayuki.extras import require
from konayuki.scale.storage import find_files
from konayuki.scale.vector_columns import as_matrix
from konayuki.search.document import keywords_of
from konayuki.search.documents import Documents
from konayuki.search.prepared import searched_text
from konayuki.search.settings import checked

AT_A_TIME = 1024
_MARK = b"konayuki"


@dataclass(frozen=True)
class EmbeddedPassage:
    """What a point of a vector database is made of.

    Attributes:
        id: The user's key.
        text: The passage.
        title: Title of its document.
        heading: Path of the headings above it.
        metadata: Anything else, as JSON values.
        vector: float32 (dim,), of length one; zeros for an empty text.

    Examples:
        >>> from konayuki.scale import open_passages
        >>> passage = next(iter(open_passages("notes.konayuki")))
        >>> passage.id, passage.title, passage.vector.shape
        ('fuji', '富士山', (512,))
    """

    id: str
    text: str
    title: str
    heading: str
    metadata: Mapping[str, Any]
    vector: NDArray[np.float32]

    @property
    def searched_text(self) -> str:
        """Title, heading, text and keywords, as an index sees them."""
        return searched_text(self.title, self.heading, self.text, *keywords_of(self.metadata))


class PassageSource(Protocol):
    """Passages with vectors that can be read more than once."""

    @property
    def dim(self) -> int:
        """The number of dimensions of the vectors."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model that made them."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[EmbeddedPassage]: ...

    def texts(self) -> Iterator[str]:
        """Yield the searched text of every passage."""


def open_passages(
    source: str, *, id_column: str = "id", text_column: str = "text", vector_column: str = "vector"
) -> PassageSource:
    """Return the passages of an index folder, or of Parquet files that `konayuki embed` wrote.

    Raises:
        NotFoundError: The source is neither.
        InputError: The files hold bits, or vectors of different settings.
        DatasetError: A column is missing.

    Examples:
        >>> passages = open_passages("notes.konayuki")
        >>> len(passages), passages.dim, [passage.id for passage in passages]
        (3, 512, ['fuji', 'biwa', 'miso'])
    """
    if "://" not in source and (Path(source) / "documents.db").is_file():
        return IndexPassages(Path(source))
    return TablePassages(source, id_column, text_column, vector_column)


class IndexPassages:
    """The living passages of an index, with the vectors that it searches by."""

    def __init__(self, folder: Path) -> None:
        self._documents = Documents(folder / "documents.db", read_only=True)
        settings = checked(self._documents.settings(), folder)
        self.dim = int(settings["dim"])
        self.fingerprint = settings["fingerprint"]

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[EmbeddedPassage]:
        """Yield the passages in the order in which they were added."""
        last, up_to = 0, self._documents.clock().generation
        while rows := self._documents.after(last, up_to, n_most=AT_A_TIME):
            last = rows[-1].row
            codes = np.frombuffer(b"".join(row.vector for row in rows), np.int8)
            vectors = unit_rows(codes.reshape(len(rows), self.dim).astype(np.float32))
            for row, vector in zip(rows, vectors, strict=True):
                if row.died is None:
                    passage = row.document
                    yield EmbeddedPassage(
                        passage.id,
                        passage.text,
                        passage.title,
                        passage.heading,
                        passage.metadata,
                        vector,
                    )

    def texts(self) -> Iterator[str]:
        """Yield the searched text of every passage."""
        last, up_to = 0, self._documents.clock().generation
        while rows := self._documents.after(last, up_to, n_most=AT_A_TIME):
            last = rows[-1].row
            yield from (row.document.searched_text for row in rows if row.died is None)


class TablePassages:
    """The rows of Parquet files with a column of vectors; unknown columns become metadata."""

    def __init__(self, source: str, id_column: str, text_column: str, vector_column: str) -> None:
        parquet = require("pyarrow.parquet", "scale")
        self._columns = (id_column, text_column, vector_column)
        self._store, sources = find_files(source, (".parquet",))
        self._paths = [source.path for source in sources]
        with self._store.filesystem.open_input_file(self._paths[0]) as file:
            schema = parquet.read_schema(file)
        self._check(schema)
        settings = json.loads((schema.metadata or {}).get(_MARK, b"{}"))
        if settings.get("dtype") in {"binary", "ubinary"}:
            raise InputError(
                f"{source} holds bits: expected float or int8 vectors\n"
                "hint: embed with --dtype float16 or int8; the database makes bits itself"
            )
        self.dim = int(schema.field(vector_column).type.list_size)
        self.fingerprint = str(settings.get("fingerprint", ""))

    def __len__(self) -> int:
        parquet = require("pyarrow.parquet", "scale")
        total = 0
        for path in self._paths:
            with self._store.filesystem.open_input_file(path) as file:
                total += parquet.read_metadata(file).num_rows
        return total

    def __iter__(self) -> Iterator[EmbeddedPassage]:
        """Yield the rows, file by file."""
        for batch in self._batches(None):
            vectors = unit_rows(as_matrix(batch.column(self._columns[2])).astype(np.float32))
            records = batch.drop_columns([self._columns[2]]).to_pylist()
            for record, vector in zip(records, vectors, strict=True):
                yield self._passage(record, vector)

    def texts(self) -> Iterator[str]:
        """Yield the searched text of every row."""
        for batch in self._batches([self._columns[1], "title"]):
            for record in batch.to_pylist():
                title = record.get("title")
                text = record[self._columns[1]]
                yield searched_text(title if isinstance(title, str) else "", text)

    def _batches(self, columns: Sequence[str] | None) -> Iterator[Any]:
        parquet = require("pyarrow.parquet", "scale")
        for path in self._paths:
            with (
                self._store.filesystem.open_input_file(path) as file,
                parquet.ParquetFile(file) as table,
            ):
                self._check(table.schema_arrow)
                names = table.schema_arrow.names
                present = None if columns is None else [name for name in columns if name in names]
                yield from table.iter_batches(AT_A_TIME, columns=present)

    def _check(self, schema: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        types = require("pyarrow", "scale").types
        for name in self._columns:
            if name not in schema.names:
                names = ", ".join(map(repr, schema.names))
                raise DatasetError(f"no column {name!r}: expected one of {names}")
        vector_type = schema.field(self._columns[2]).type
        if not types.is_fixed_size_list(vector_type):
            raise DatasetError(
                f"column {self._columns[2]!r} holds {vector_type}: expected lists of a fixed size\n"
                "hint: konayuki embed writes such files"
            )

    def _passage(self, record: dict[str, Any], vector: NDArray[np.float32]) -> EmbeddedPassage:
        key = record.pop(self._columns[0])
        text = record.pop(self._columns[1])
        title = record.pop("title", None)
        title = title if isinstance(title, str) else ""
        return EmbeddedPassage(str(key), text, title, "", record, vector)
