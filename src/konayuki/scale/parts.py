"""A corpus in parts that are embedded one by one: the unit of work, of resuming and of loss."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from konayuki.errors import FormatError
from konayuki.extras import require
from konayuki.scale.storage import EXTRA, Store, StoredFile

PARQUET = (".parquet",)
LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
SUFFIXES = (*PARQUET, *LINES)
PART_BYTES = 32 << 20


class Part(NamedTuple):
    """A piece of a file: bytes of JSON lines, row groups of Parquet.

    Attributes:
        source: The file.
        name: Name of the output, below the output folder.
        start: The first byte, or the first row group.
        stop: The byte or row group behind the last; None means the end of a compressed file.
        first_row: Rows of the file before this part; 0 if unknown.
    """

    source: StoredFile
    name: str
    start: int
    stop: int | None
    first_row: int = 0


def plan_parts(store: Store, sources: Sequence[StoredFile], part_bytes: int) -> Iterator[Part]:
    """Yield the parts of all files by name and offset: the same for the same files.

    Raises:
        FormatError: A Parquet file cannot be read.
    """
    for source in sources:
        if source.name.endswith(PARQUET):
            ranges = _row_groups(store, source, part_bytes)
        elif source.name.endswith(".gz"):
            ranges = [(0, None, 0)]
        else:
            starts = range(0, max(source.size, 1), part_bytes)
            ranges = [(start, min(start + part_bytes, source.size), 0) for start in starts]
        for number, (start, stop, first_row) in enumerate(ranges):
            yield Part(source, f"{source.name}.{number:05d}.parquet", start, stop, first_row)


def is_part_of(name: str, source_names: set[str]) -> bool:
    """Return whether an output of this name was made from one of these files."""
    stem, _, number = name.removesuffix(".parquet").rpartition(".")
    return number.isdecimal() and stem in source_names


def _row_groups(
    store: Store, source: StoredFile, part_bytes: int
) -> list[tuple[int, int | None, int]]:
    parquet, arrow = require("pyarrow.parquet", EXTRA), require("pyarrow", EXTRA)
    try:
        with (
            store.filesystem.open_input_file(source.path) as file,
            parquet.ParquetFile(file) as table,
        ):
            metadata = table.metadata
    except (arrow.ArrowException, OSError) as error:
        raise FormatError(f"{source.path}: cannot be read: {error}: expected Parquet") from error
    return list(_row_group_ranges(metadata, part_bytes)) or [(0, 0, 0)]


def _row_group_ranges(metadata: Any, part_bytes: int) -> Iterator[tuple[int, int | None, int]]:  # noqa: ANN401
    """Yield ranges of neighbouring row groups that together reach `part_bytes`."""
    start = rows = size = 0
    first_row = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows += group.num_rows
        size += group.total_byte_size
        if size >= part_bytes or number + 1 == metadata.num_row_groups:
            yield start, number + 1, first_row
            start, first_row, size = number + 1, rows, 0
