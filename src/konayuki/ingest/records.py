"""The content of a file into records that an index takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from konayuki.errors import FormatError, InputError
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting, chunk
from konayuki.ingest.kinds import TEXT, Kind, kind_of
from konayuki.ingest.outline import Outline, Section
from konayuki.rows import Row
from konayuki.search.document import FIELDS, read_document
from konayuki.search.prepared import searched_text

Record = dict[str, Any]
_SHOWN_ERRORS = 3


@dataclass
class Remarks:
    """What is worth saying about the rows of a file.

    Attributes:
        n_rows: Rows that gave a record.
        n_empty: Rows without text and title, which give no record.
        n_paths: Rows whose own metadata `path` gave way to the path of the file.
        n_bad: Rows that cannot be used.
        errors: The reasons for the first of these.
        repeated: Ids that more than one row has; the last of these rows counts, as in `Index.add`.
    """

    n_rows: int = 0
    n_empty: int = 0
    n_paths: int = 0
    n_bad: int = 0
    errors: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def refuse(self, error: FormatError) -> None:
        """Take note of a row that cannot be used."""
        self.n_bad += 1
        if len(self.errors) < _SHOWN_ERRORS:
            self.errors.append(str(error))


def records_of(
    content: bytes,
    name: str,
    cutting: Cutting = DEFAULT_CUTTING,
    remarks: Remarks | None = None,
    *,
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
        kind: What it is; default: what the suffix says.

    Raises:
        FormatError: The content is not what the suffix says.
        MissingExtraError: The kind needs an extra that is not installed.
    """
    rows: list[Row | FormatError] = []
    for item in (kind or kind_of(name) or TEXT).read(content, name):
        if isinstance(item, Outline):
            yield from _document(item, name, cutting)
        else:
            rows.append(item)
    yield from _records(rows, name, cutting, remarks)


def _document(outline: Outline, name: str, cutting: Cutting) -> Iterator[Record]:
    key = f"{name}:{outline.key}" if outline.key else name
    metadata = {**outline.metadata, "path": name}
    return _passages(key, outline, outline.title or PurePosixPath(name).stem, metadata, cutting)


def _passages(
    key: str, outline: Outline, title: str, metadata: Mapping[str, Any], cutting: Cutting
) -> Iterator[Record]:
    for piece in chunk(outline.sections, cutting):
        yield {
            "id": f"{key}#{piece.position}",
            "text": piece.text,
            "title": title,
            "metadata": {**piece.metadata, **metadata},
            "chunk_of": key,
            "heading": piece.heading,
            "position": piece.position,
        }


def _records(
    rows: Iterable[Row | FormatError], name: str, cutting: Cutting, remarks: Remarks | None
) -> Iterator[Record]:
    """Yield the records of rows, or their passages if a text is longer than one."""
    by_id: dict[str, Record] = {}
    strict, remarks = remarks is None, remarks or Remarks()
    first_error: FormatError | None = None
    for row in rows:
        try:
            record = _record(row, name, remarks)
        except FormatError as error:
            if strict:
                raise
            first_error = first_error or error
            remarks.refuse(error)
            continue
        if record is None:
            continue
        if by_id.pop(record["id"], None) is not None:
            remarks.repeated.append(record["id"])
        by_id[record["id"]] = record
    if first_error and not by_id:
        raise first_error
    remarks.n_rows = len(by_id)
    for record in by_id.values():
        if len(record["text"]) <= cutting.size or "chunk_of" in record:
            yield record
        else:
            outline = Outline("", (Section((), record["text"]),))
            title = record.get("title") or ""
            yield from _passages(record["id"], outline, title, record["metadata"], cutting)


def _record(row: Row | FormatError, name: str, remarks: Remarks) -> Record | None:
    """Return the record of a row, None for an empty one.

    Raises:
        FormatError: It cannot be used; the message names file and line.
    """
    if not isinstance(row, Row):
        raise row
    fields = dict(row.values)
    place = f"{name}:{row.number}"
    row.text("text")
    if "_id" in fields and "id" not in fields:
        fields["id"] = fields.pop("_id")
    metadata = fields.pop("metadata", None) or {}
    if not isinstance(metadata, Mapping):
        raise FormatError(f"{place}: 'metadata' is {metadata!r}: expected an object")
    others = {column: fields.pop(column) for column in list(fields) if column not in FIELDS}
    metadata = {**others, **metadata}
    remarks.n_paths += metadata.get("path", name) != name
    record = {**fields, "metadata": {**metadata, "path": name}}
    record["id"] = place if fields.get("id") in (None, "") else str(fields["id"])
    try:
        read_document(record, 0)
    except InputError as error:
        raise FormatError(f"{place}: {error}") from error
    if searched_text(record.get("title") or "", record["text"]).strip():
        return record
    remarks.n_empty += 1
    return None
