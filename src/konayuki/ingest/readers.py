"""Files on disk and standard input into records."""

import sys
from collections.abc import Iterator
from pathlib import Path

from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting
from konayuki.ingest.columns import Columns
from konayuki.ingest.files_on_disk import read_regular, shown
from konayuki.ingest.kinds import JSON_LINES
from konayuki.ingest.records import DEFAULT_COLUMNS, Record, Remarks, records_of

STDIN = "-"


def read_records(
    path: Path,
    cutting: Cutting = DEFAULT_CUTTING,
    remarks: Remarks | None = None,
    *,
    columns: Columns = DEFAULT_COLUMNS,
) -> Iterator[Record]:
    r"""Yield the records of a file; each names its file in `metadata["path"]`.

    Text, Markdown and HTML give the passages of one document. CSV gives a record per row and JSONL
    one per line: `text`, `id` (or `_id`, as BEIR calls it) and `title` are taken as such, other
    columns become metadata; without a column `text` it is guessed. Rows without text and title give
    nothing; of rows with the same id the last counts. A file of another kind is read as text.

    Args:
        path: The file.
        cutting: How documents are cut.
        remarks: Takes note of rows that were left out or changed, also of rows that cannot be used
            as long as one can; default: such a row raises.
        columns: Which columns of a table are what.

    Raises:
        NotFoundError: The file cannot be read.
        FormatError: It holds no text of a known encoding, or a row that cannot be used.

    Examples:
        >>> _ = Path("a.md").write_text("# 山\n\n富士山は高い。\n", encoding="utf-8")
        >>> record = next(read_records(Path("a.md")))
        >>> record["id"], record["title"], record["text"], record["metadata"]
        ('a.md#0', '山', '富士山は高い。', {'path': 'a.md', 'line': 3, 'keywords': ['a']})
    """
    content = read_regular(path.resolve(), shown(path))
    return records_of(content, path.as_posix(), cutting, remarks, columns=columns)


def read_stdin(
    cutting: Cutting = DEFAULT_CUTTING,
    remarks: Remarks | None = None,
    *,
    columns: Columns = DEFAULT_COLUMNS,
) -> Iterator[Record]:
    """Yield the records of JSON lines on standard input.

    Raises:
        FormatError: As in `read_records`.
    """
    content = sys.stdin.buffer.read()
    return records_of(content, "stdin", cutting, remarks, columns=columns, kind=JSON_LINES)
