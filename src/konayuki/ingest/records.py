"""The content of a file into records that an index takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from konayuki.errors import DatasetError, InputError
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting, chunk
from konayuki.ingest.columns import SAMPLE_ROWS, Columns, described, guessed
from konayuki.ingest.kinds import TEXT, Kind, kind_of
from konayuki.ingest.outline import BadRows, Outline, Section
from konayuki.rows import Row
from konayuki.search.document import FIELDS, read_document
from konayuki.search.prepared import searched_text

Record = dict[str, Any]
DEFAULT_COLUMNS = Columns()


@dataclass
class Remarks:
    """What is worth saying about the rows of a file.

    Attributes:
        n_rows: Rows that gave a record.
        n_empty: Rows without text and title, which give no record.
        n_paths: Rows whose own metadata `path` gave way to the path of the file.
        bad: Rows that cannot be used.
        repeated: Ids that more than one row has; the last of these rows counts, as in `Index.add`.
        guess: Which columns were guessed to be what, or "".
    """

    n_rows: int = 0
    n_empty: int = 0
    n_paths: int = 0
    bad: BadRows = field(default_factory=BadRows)
    repeated: list[str] = field(default_factory=list)
    guess: str = ""


def records_of(
    content: bytes,
    name: str,
    cutting: Cutting = DEFAULT_CUTTING,
    remarks: Remarks | None = None,
    *,
    columns: Columns = DEFAULT_COLUMNS,
    kind: Kind | None = None,
) -> Iterator[Record]:
    """Yield the records of a file; each names its file in `metadata["path"]`.

    Args:
        content: The bytes of the file.
        name: Its name, from which the ids of passages are made and which errors give. Its suffix
            says how the content is read; one that is not known is read as plain text.
        cutting: How documents are cut.
        remarks: Takes note of rows that were left out or changed, also of rows that cannot be used
            as long as one can; default: such a row raises.
        columns: Which columns of a table are what.
        kind: What it is; default: what the suffix says.

    Raises:
        FormatError: The content is not what the suffix says.
        MissingExtraError: The kind needs an extra that is not installed.
    """
    rows = _Rows(name, columns, strict=remarks is None, remarks=remarks or Remarks())
    for item in (kind or kind_of(name) or TEXT).read(content, name):
        if isinstance(item, Outline):
            yield from _document(item, name, cutting)
        else:
            rows.take(item)
    yield from rows.records(cutting)


def _document(outline: Outline, name: str, cutting: Cutting) -> Iterator[Record]:
    key = f"{name}:{outline.key}" if outline.key else name
    metadata = {**outline.metadata, "path": name}
    return _passages(key, outline, outline.title or PurePosixPath(name).stem, metadata, cutting)


def _passages(
    key: str, outline: Outline, title: str, metadata: Mapping[str, Any], cutting: Cutting
) -> Iterator[Record]:
    for piece in chunk(outline.sections, cutting):
        record = {
            "id": f"{key}#{piece.position}",
            "text": piece.text,
            "title": title,
            "metadata": {**piece.metadata, **metadata},
            "chunk_of": key,
            "heading": piece.heading,
            "position": piece.position,
        }
        yield checked(record, f"{metadata['path']}#{piece.position}")


def checked(record: Record, place: str) -> Record:
    """Return a record that the index will take.

    Raises:
        DatasetError: It cannot be used; the message names its place.
    """
    try:
        read_document(record, 0)
    except InputError as error:
        raise DatasetError(f"{place}: {error}") from error
    return record


class _Rows:
    """The records of the rows of a file; of rows with one id the last counts."""

    def __init__(self, name: str, columns: Columns, *, strict: bool, remarks: Remarks) -> None:
        self._name = name
        self._columns = columns
        self._decided = bool(columns.text)
        self._waiting: list[Row] = []  # until the columns are decided
        self._strict = strict
        self._remarks = remarks
        self._by_id: dict[str, Record] = {}

    def take(self, item: Row | BadRows) -> None:
        """Take a row, or rows that the reader could not use.

        Raises:
            DatasetError: There is one, and rows that cannot be used are not left out.
        """
        if isinstance(item, BadRows):
            self._refuse(item)
        elif self._decided:
            self._add(item)
        else:
            self._waiting.append(item)
            if len(self._waiting) >= SAMPLE_ROWS:
                self._decide()

    def records(self, cutting: Cutting) -> Iterator[Record]:
        """Yield the records, or their passages if a text is longer than one.

        Raises:
            DatasetError: There are rows, and none can be used.
        """
        self._decide()
        bad = self._remarks.bad.first
        if bad and not self._by_id:
            raise bad[0]
        self._remarks.n_rows = len(self._by_id)
        for record in self._by_id.values():
            if len(record["text"]) <= cutting.size or "chunk_of" in record:
                yield record
            else:
                outline = Outline("", (Section((), record["text"]),))
                title = record.get("title") or ""
                yield from _passages(record["id"], outline, title, record["metadata"], cutting)

    def _decide(self) -> None:
        """Guess the columns from the rows so far, and take these rows."""
        if not self._decided:
            columns = guessed(self._waiting, self._columns)
            self._remarks.guess = described(columns) if columns.text else ""
            self._columns, self._decided = columns, True
        for row in self._waiting:
            self._add(row)
        self._waiting.clear()

    def _add(self, row: Row) -> None:
        try:
            record = _record(row, self._name, self._columns, self._remarks)
        except DatasetError as error:
            self._refuse(BadRows(1, [error]))
            return
        if record is None:
            self._remarks.n_empty += 1
            return
        if self._by_id.pop(record["id"], None) is not None:
            self._remarks.repeated.append(record["id"])
        self._by_id[record["id"]] = record

    def _refuse(self, bad: BadRows) -> None:
        if self._strict:
            raise bad.first[0]
        self._remarks.bad.join(bad)


def _record(row: Row, name: str, columns: Columns, remarks: Remarks) -> Record | None:
    """Return the record of a row, None for an empty one.

    Raises:
        DatasetError: It cannot be used; the message names file and line.
    """
    fields = columns.of(row)
    place = f"{name}:{row.number}"
    metadata = fields.pop("metadata", None) or {}
    if not isinstance(metadata, Mapping):
        raise DatasetError(f"{place}: 'metadata' is {metadata!r}: expected an object")
    others = {column: fields.pop(column) for column in list(fields) if column not in FIELDS}
    metadata = {**others, **metadata}
    remarks.n_paths += metadata.get("path", name) != name
    record = {**fields, "metadata": {**metadata, "path": name}}
    record["id"] = place if fields.get("id") in (None, "") else str(fields["id"])
    checked(record, place)
    if searched_text(record.get("title") or "", record["text"]).strip():
        return record
    return None
