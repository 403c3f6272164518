"""Files into records that an index takes."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konayuki.errors import FormatError, InputError, NotFoundError
from konayuki.files import read_bytes
from konayuki.ingest.chunker import (
    DEFAULT_CUTTING,
    Cutting,
    Outline,
    Section,
    chunk,
    markdown_outline,
)
from konayuki.ingest.html import html_outline
from konayuki.search.document import FIELDS, read_document
from konayuki.search.prepared import searched_text
from konayuki.text import decode

Record = dict[str, Any]
_OUTLINES = {
    ".txt": lambda text: Outline("", (Section((), text),)),
    ".md": markdown_outline,
    ".markdown": markdown_outline,
    ".html": html_outline,
    ".htm": html_outline,
}
_TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = {".jsonl", ".ndjson"}
SUFFIXES = (*_OUTLINES, *_TABLES, *sorted(_LINES))
STDIN = "-"


@dataclass
class Remarks:
    """What is worth saying about the rows of a file.

    Attributes:
        n_empty: Rows without text and title, which give no record.
        n_paths: Rows whose own metadata `path` gave way to the path of the file.
        repeated: Ids that more than one row has; the last of these rows counts, as in `Index.add`.
    """

    n_empty: int = 0
    n_paths: int = 0
    repeated: list[str] = field(default_factory=list)


def find_files(paths: Iterable[Path], others: list[Path] | None = None) -> Iterator[Path]:
    """Yield files: those that are named, and those of known kinds in folders that are named.

    Hidden files and folders are left out. A file that is reached twice is yielded once.

    Args:
        paths: Files and folders.
        others: Takes the files of other kinds that lie in these folders.

    Raises:
        NotFoundError: A path is not there.
    """
    seen = set()
    for path in paths:
        check_there(path)
        inside = path.is_dir()
        for file in sorted(_inside(path)) if inside else (path,):
            if inside and file.suffix.lower() not in SUFFIXES:
                if others is not None:
                    others.append(file)
            elif file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def check_there(path: Path) -> None:
    """Raise where there is neither a file nor a folder.

    Raises:
        NotFoundError: The path is not there.
    """
    if not path.exists():
        raise NotFoundError(f"{path} is not there: expected a file or a folder")


def read_records(
    path: Path, cutting: Cutting = DEFAULT_CUTTING, remarks: Remarks | None = None
) -> Iterator[Record]:
    """Yield the records of a file; each names its file in `metadata["path"]`.

    Text, Markdown and HTML give the passages of one document. CSV gives a record per row and JSONL
    one per line: `text` must be there; `id` (or `_id`, as BEIR calls it) and `title` are taken as
    such, other columns become metadata. Rows without text and title give nothing; of rows with the
    same id the last counts. A file of another kind is read as text.

    Args:
        path: The file.
        cutting: How documents are cut.
        remarks: Takes note of rows that were left out or changed.

    Raises:
        NotFoundError: The file cannot be read.
        FormatError: It holds no text of a known encoding, or a row that is no record.
    """
    name = path.as_posix()
    text = decode(read_bytes(path), str(path))
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        yield from _records(_table_rows(text, _TABLES[suffix], name), name, cutting, remarks)
    elif suffix in _LINES:
        yield from _records(_line_rows(text, name), name, cutting, remarks)
    else:
        outline = _OUTLINES.get(suffix, _OUTLINES[".txt"])(text)
        yield from _passages(name, outline, path.stem, {"path": name}, cutting)


def read_stdin(
    cutting: Cutting = DEFAULT_CUTTING, remarks: Remarks | None = None
) -> Iterator[Record]:
    """Yield the records of JSON lines on standard input.

    Raises:
        FormatError: As in `read_records`.
    """
    rows = _line_rows(decode(sys.stdin.buffer.read(), "stdin"), "stdin")
    return _records(rows, "stdin", cutting, remarks)


def _inside(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():  # a link to a folder above would never end
                yield from _inside(path)
        else:
            yield path


def _passages(
    key: str, outline: Outline, title: str, metadata: Mapping[str, Any], cutting: Cutting
) -> Iterator[Record]:
    for piece in chunk(outline.sections, cutting):
        yield {
            "id": f"{key}#{piece.position}",
            "text": piece.text,
            "title": outline.title or title,
            "metadata": dict(metadata),
            "chunk_of": key,
            "heading": piece.heading,
            "position": piece.position,
        }


def _table_rows(text: str, delimiter: str, name: str) -> Iterator[tuple[str, Record]]:
    """Yield rows, each with its place in words."""
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        if "text" not in (rows.fieldnames or ()):
            raise FormatError(
                f"{name}: columns are {', '.join(rows.fieldnames or ()) or 'missing'}: expected a "
                "header with a column 'text'"
            )
        for row in rows:
            if None in row or None in row.values():
                raise FormatError(f"{name}, line {rows.line_num}: not as many cells as the header")
            yield f"{name}:{rows.line_num}", dict(row)
    except csv.Error as error:
        raise FormatError(f"{name}, line {rows.line_num}: {error}") from error


def _line_rows(text: str, name: str) -> Iterator[tuple[str, Record]]:
    """Yield rows, each with its place in words."""
    # Not splitlines: a JSON string may hold U+2028 and its kin unescaped.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{name}, line {number}: {error}: expected a JSON object") from error
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise FormatError(f"{name}, line {number}: expected a JSON object with a string 'text'")
        yield f"{name}:{number}", fields


def _records(
    rows: Iterable[tuple[str, Record]], name: str, cutting: Cutting, remarks: Remarks | None
) -> Iterator[Record]:
    """Yield the records of rows, or their passages where a text is longer than one."""
    remarks = Remarks() if remarks is None else remarks
    found: dict[str, Record] = {}
    for place, row in rows:
        record = _record(row, place, name, remarks)
        if record is None:
            continue
        if found.pop(record["id"], None) is not None:
            remarks.repeated.append(record["id"])
        found[record["id"]] = record
    for record in found.values():
        if len(record["text"]) <= cutting.size or "chunk_of" in record:
            yield record
        else:
            outline = Outline(record.get("title") or "", (Section((), record["text"]),))
            yield from _passages(record["id"], outline, "", record["metadata"], cutting)


def _record(fields: Record, place: str, name: str, remarks: Remarks) -> Record | None:
    """Return the record of a row, None for an empty one.

    Raises:
        FormatError: It is none; the message names file and line.
    """
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
