"""Where pairs come from: local Parquet and JSON Lines files, and data sets of the hub."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from konayuki.errors import DatasetError, NotFoundError
from konayuki.extras import require
from konayuki.training.recipe import SourceSettings

CATALOGUE = "SOURCES.tsv"
ROWS_AT_ONCE = 8192


class Pair(NamedTuple):
    """A query, the passage that answers it, and perhaps one that does not ("" for none)."""

    query: str
    positive: str
    negative: str = ""


@dataclass(frozen=True)
class Source:
    """One file or hub data set, as the model card tells of it."""

    name: str
    place: str  # the path or hub id, for messages
    settings: SourceSettings
    origin: str = ""
    licence: str = ""


def find_sources(settings: Sequence[SourceSettings], data: Path) -> list[Source]:
    """Return the sources that a recipe names; a file belongs to the first pattern that fits it.

    Raises:
        NotFoundError: a pattern fits no file.
    """
    catalogue = read_catalogue(data / CATALOGUE)
    sources: list[Source] = []
    taken: set[str] = set()
    for one in settings:
        if one.hub:
            name = "/".join(part for part in (one.hub, one.config) if part)
            sources.append(Source(name, name, one, f"hub: {name} {one.revision}", one.licence))
            continue
        found = sorted(path for path in data.glob(one.files) if path.is_file())
        if not found:
            raise NotFoundError(
                f"no file fits {one.files!r} in {data}\nhint: name the data folder with --data"
            )
        for path in found:
            name = path.name.removesuffix(path.suffix)
            if name not in taken:
                taken.add(name)
                origin, licence = catalogue.get(path.name, ("", ""))
                sources.append(Source(name, str(path), one, origin, one.licence or licence))
    return sources


def read_catalogue(path: Path) -> dict[str, tuple[str, str]]:
    """Return source and licence by file name; empty where there is no catalogue.

    Raises:
        DatasetError: it lacks the columns file, source, licence.
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return {row["file"]: (row["source"], row["licence"]) for row in rows}
    except KeyError as error:
        raise DatasetError(f"{path}: no column {error}; expected file, source, licence") from None


def read_pairs(source: Source) -> Iterator[Pair]:
    """Yield the pairs of a source, trimmed; pairs with an empty side or two equal ones are dropped.

    Raises:
        DatasetError: a row cannot be used; the message says where.
        MissingExtraError: a package that reads it is not installed.
    """
    columns = source.settings.columns
    rows = _hub_rows(source) if source.settings.hub else _file_rows(Path(source.place), columns)
    for number, values in enumerate(rows, start=1):
        try:
            texts = [values[column] for column in columns]
        except KeyError as error:
            raise DatasetError(
                f"{source.place} row {number}: no column {error}; it has {', '.join(values)}"
            ) from None
        if not all(isinstance(text, str) for text in texts[:2]):
            raise DatasetError(f"{source.place} row {number}: expected strings, not {texts[:2]!r}")
        query, positive = texts[0].strip(), texts[1].strip()
        if query and positive and query != positive:
            yield Pair(query, positive, (texts[2] or "").strip() if len(texts) > 2 else "")


def _file_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        return _parquet_rows(path, columns)
    if path.suffix == ".jsonl":
        return _jsonl_rows(path)
    raise DatasetError(f"{path}: cannot read {path.suffix!r}; expected .parquet or .jsonl")


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    arrow, parquet = require("pyarrow", "train"), require("pyarrow.parquet", "train")
    try:
        with parquet.ParquetFile(path) as file:
            present = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=present):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is not a Parquet file that can be read: {error}") from error


def _jsonl_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except json.JSONDecodeError as error:
                raise DatasetError(f"{path} line {number} is not JSON: {error}") from error
            if not isinstance(values, dict):
                raise DatasetError(f"{path} line {number}: expected an object, not {values!r:.60}")
            yield values


def _hub_rows(source: Source) -> Iterable[dict[str, Any]]:
    datasets = require("datasets", "train")
    settings = source.settings
    rows: Iterable[dict[str, Any]] = datasets.load_dataset(
        settings.hub,
        settings.config or None,
        split=settings.split,
        revision=settings.revision or None,
    )
    return rows
