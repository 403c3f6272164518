"""Files into records that an index takes."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from konayuki.errors import InputError, NotFoundError
from konayuki.search.chunker import (
    DEFAULT_CUTTING,
    Cutting,
    Outline,
    Section,
    chunk,
    markdown_outline,
)
from konayuki.search.document import FIELDS
from konayuki.search.html_text import html_outline
from konayuki.search.text_files import decode, read_text

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


def find_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files: those that are named, and those of known kinds in folders that are named.

    Hidden files and folders are left out. A file that is reached twice is yielded once.

    Raises:
        NotFoundError: A path is not there.
    """
    seen = set()
    for path in paths:
        check_there(path)
        for file in sorted(_inside(path)) if path.is_dir() else (path,):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def check_there(path: Path) -> None:
    """Raise where there is neither a file nor a folder.

    Raises:
        NotFoundError: The path is not there.
    """
    if not path.exists():
        raise NotFoundError(f"{path} is not there: expected a file or a folder")


def read_records(path: Path, cutting: Cutting = DEFAULT_CUTTING) -> Iterator[Record]:
    """Yield the records of a file; each names its file in `metadata["path"]`.

    Text, Markdown and HTML give the passages of one document. CSV gives a record per row and JSONL
    one per line: `text` must be there; `id` (or `_id`, as BEIR calls it) and `title` are taken as
    such, other columns become metadata. A file of another kind is read as text.

    Raises:
        NotFoundError: The file cannot be read.
        InputError: It holds no text of a known encoding, or a row that is no record.
    """
    name = path.as_posix()
    text = read_text(path)
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        yield from _table_records(text, _TABLES[suffix], name, cutting)
    elif suffix in _LINES:
        yield from _line_records(text, name, cutting)
    else:
        outline = _OUTLINES.get(suffix, _OUTLINES[".txt"])(text)
        yield from _passages(name, outline, path.stem, {"path": name}, cutting)


def read_stdin(cutting: Cutting = DEFAULT_CUTTING) -> Iterator[Record]:
    """Yield the records of JSON lines on standard input."""
    return _line_records(decode(sys.stdin.buffer.read(), "stdin"), "stdin", cutting)


def _inside(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():  # a link to a folder above would never end
                yield from _inside(path)
        elif path.suffix.lower() in SUFFIXES:
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


def _table_records(text: str, delimiter: str, name: str, cutting: Cutting) -> Iterator[Record]:
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        if "text" not in (rows.fieldnames or ()):
            raise InputError(
                f"{name}: columns are {', '.join(rows.fieldnames or ()) or 'missing'}: expected a "
                "header with a column 'text'"
            )
        for row in rows:
            if None in row or None in row.values():
                raise InputError(f"{name}, line {rows.line_num}: not as many cells as the header")
            yield from _record(dict(row), f"{name}:{rows.line_num}", name, cutting)
    except csv.Error as error:
        raise InputError(f"{name}, line {rows.line_num}: {error}") from error


def _line_records(text: str, name: str, cutting: Cutting) -> Iterator[Record]:
    # Not splitlines: a JSON string may hold U+2028 and its kin unescaped.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}, line {number}: {error}: expected a JSON object") from error
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise InputError(f"{name}, line {number}: expected a JSON object with a string 'text'")
        yield from _record(fields, f"{name}:{number}", name, cutting)


def _record(fields: Record, key: str, name: str, cutting: Cutting) -> Iterator[Record]:
    """Yield one record, or its passages where its text is longer than one."""
    if "_id" in fields and "id" not in fields:
        fields["id"] = fields.pop("_id")
    metadata = fields.pop("metadata", None) or {}
    if not isinstance(metadata, Mapping):
        raise InputError(f"{key}: 'metadata' is {metadata!r}: expected an object")
    others = {column: fields.pop(column) for column in list(fields) if column not in FIELDS}
    record = {**fields, "metadata": {**others, **metadata, "path": name}}
    record["id"] = key if fields.get("id") in (None, "") else str(fields["id"])
    if len(record["text"]) <= cutting.size or "chunk_of" in fields:
        yield record
        return
    outline = Outline(str(fields.get("title") or ""), (Section((), record["text"]),))
    yield from _passages(record["id"], outline, "", record["metadata"], cutting)
