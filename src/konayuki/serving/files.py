"""Text files that arrive over the wire: into the passages of an index."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from konayuki.errors import FormatError, InputError
from konayuki.ingest.readers import SUFFIXES, read_records
from konayuki.search import Index

Record = dict[str, Any]


def records_of(content: bytes, name: str) -> Iterator[Record]:
    """Yield the records of a file, as `konayuki index` would make them of a file on disk.

    Args:
        content: The bytes, in any encoding that Japanese text comes in.
        name: The name, a key: no file of the server is opened under it. Its suffix says how the
            content is read; an unknown one is read as plain text.

    Raises:
        InputError: The bytes are not what the name says; the message names the file.
    """
    suffix = PurePosixPath(name).suffix.lower()
    suffix = suffix if suffix in SUFFIXES else ".txt"
    with tempfile.TemporaryDirectory(prefix="konayuki-") as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        try:
            for record in read_records(path):
                yield _renamed(record, path, name)
        except FormatError as error:
            raise InputError(str(error).replace(path.as_posix(), name)) from error


def replace_file(index: Index, name: str, records: Sequence[Record]) -> int:
    """Store the records of a file and remove passages that it had earlier; return their number."""
    earlier = set(index.ids({"path": name}))
    stored = index.add(records)
    gone = earlier - {record["id"] for record in records}
    if gone:
        index.delete(gone)
    return stored


def _renamed(record: Record, path: Path, name: str) -> Record:
    """Return the record as if the file had its own name all along."""
    there = path.as_posix()
    renamed = dict(record)
    for field in ("id", "chunk_of"):
        if renamed.get(field):
            renamed[field] = renamed[field].replace(there, name, 1)
    if renamed.get("title") == path.stem:
        renamed["title"] = PurePosixPath(name).stem
    renamed["metadata"] = {**record["metadata"], "path": name}
    return renamed
