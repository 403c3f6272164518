"""The content of a file into records that an index takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from konayuki.errors import DatasetError, InputError
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting, chunk
from konayuki.ingest.columns import SAMPLE_ROWS, Columns, described, guessed
from konayuki.ingest.keywords import Readings, file_words, with_keywords
from konayuki.ingest.kinds import TEXT, Kind, kind_of
from konayuki.ingest.lines import Lines
from konayuki.ingest.outline import BadRows, Outline, Section
from konayuki.rows import Row
from konayuki.search.document import FIELDS, read_document
from konayuki.search.prepared import searched_text
from konayuki.search.selection import TAG_KEYS
from konayuki.text import decode

Record = dict[str, Any]
DEFAULT_COLUMNS = Columns()
_MOST_REPEATED = 200  # characters of a property that every passage of its file has


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
    words: Sequence[str] | None = None,
) -> Iterator[Record]:
    """Yield the records of a file; each names its file in `metadata["path"]`.

    `metadata["keywords"]` has what the file is called as far as the record does not say it, and
    `metadata["line"]` where it stands in a file with lines.

    Args:
        content: The bytes of the file.
        name: Its name, from which the ids of passages are made and which errors give. Its suffix
            says how the content is read; one that is not known is read as plain text.
        cutting: How documents are cut.
        remarks: Takes note of rows that were left out or changed, also of rows that cannot be used
            as long as one can; default: such a row raises.
        columns: Which columns of a table are what.
        kind: What it is; default: what the suffix says.
        words: What the file and its folders are called; default: its name without the suffix.

    Raises:
        FormatError: The content is not what the suffix says.
        MissingExtraError: The kind needs an extra that is not installed.
    """
    kind = kind or kind_of(name) or TEXT
    file = _File(name, file_words(name) if words is None else words, cutting)
    rows = _Rows(file, columns, strict=remarks is None, remarks=remarks or Remarks())
    for item in kind.read(content, name):
        if isinstance(item, Outline):
            lines = Lines(decode(content, name), cutting.overlap) if kind.has_lines else None
            yield from _document(item, file, lines)
        else:
            rows.take(item)
    yield from rows.records()


@dataclass(frozen=True)
class _File:
    """What all records of a file share: its name, what it is called, how it is cut."""

    name: str
    words: Sequence[str]
    cutting: Cutting


def _document(outline: Outline, file: _File, lines: Lines | None) -> Iterator[Record]:
    key = f"{file.name}:{outline.key}" if outline.key else file.name
    metadata = {**outline.metadata, "path": file.name}
    title = outline.title or file_words(file.name)[-1]
    return _passages(key, outline, title, metadata, file, lines)


def _passages(
    key: str,
    outline: Outline,
    title: str,
    metadata: Mapping[str, Any],
    file: _File,
    lines: Lines | None = None,
) -> Iterator[Record]:
    readings = Readings(outline.readings)
    repeated = {key: value for key, value in metadata.items() if _is_repeated(key, value)}
    for piece in chunk(outline.sections, file.cutting):
        shown = (title, piece.heading, piece.text)
        own = {**piece.metadata, **(repeated if piece.position else metadata)}
        if lines is not None:
            own.setdefault("line", lines.of(piece.text))
        own = with_keywords(own, (*file.words, *readings.of("\n".join(shown))), shown)
        record = {
            "id": f"{key}#{piece.position}",
            "text": piece.text,
            "title": title,
            "metadata": own,
            "chunk_of": key,
            "heading": piece.heading,
            "position": piece.position,
        }
        yield checked(record, f"{metadata['path']}#{piece.position}")


def _is_repeated(key: str, value: object) -> bool:
    """Return whether all passages of a file have a property, not only the first one.

    What is short or a list of tags is there to filter by; the rest would fill the index.
    """
    if key in ("path", *TAG_KEYS) or not isinstance(value, str | list | Mapping):
        return True
    return len(str(value)) <= _MOST_REPEATED


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

    def __init__(self, file: _File, columns: Columns, *, strict: bool, remarks: Remarks) -> None:
        self._file = file
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

    def records(self) -> Iterator[Record]:
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
            if len(record["text"]) <= self._file.cutting.size or "chunk_of" in record:
                yield record
            else:
                outline = Outline("", (Section((), record["text"]),))
                title = record.get("title") or ""
                yield from _passages(record["id"], outline, title, record["metadata"], self._file)

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
            record = _record(row, self._file, self._columns, self._remarks)
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


def _record(row: Row, file: _File, columns: Columns, remarks: Remarks) -> Record | None:
    """Return the record of a row, None for an empty one.

    Raises:
        DatasetError: It cannot be used; the message names file and line.
    """
    fields = columns.of(row)
    place = f"{file.name}:{row.number}"
    metadata = fields.pop("metadata", None) or {}
    if not isinstance(metadata, Mapping):
        raise DatasetError(f"{place}: 'metadata' is {metadata!r}: expected an object")
    others = {column: fields.pop(column) for column in list(fields) if column not in FIELDS}
    metadata = {**others, **metadata}
    remarks.n_paths += metadata.get("path", file.name) != file.name
    metadata = {"line": row.number, **metadata, "path": file.name}
    shown = (str(fields.get("title") or ""), fields["text"])
    record = {**fields, "metadata": with_keywords(metadata, file.words, shown)}
    record["id"] = place if fields.get("id") in (None, "") else str(fields["id"])
    checked(record, place)
    if searched_text(record.get("title") or "", record["text"]).strip():
        return record
    return None
