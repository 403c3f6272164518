"""Where pairs come from: local Parquet and JSON Lines files, and data sets of the hub."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from konayuki.errors import DatasetError, NotFoundError
from konayuki.evaluation.tables import read_rows
from konayuki.extras import require
from konayuki.training.recipe import SourceSettings

CATALOGUE = "SOURCES.tsv"
SUFFIXES = (".parquet", ".jsonl")


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


def read_pairs(source: Source, dropped: Counter[tuple[str, str]] | None = None) -> Iterator[Pair]:
    """Yield the pairs of a source, trimmed; pairs with an empty side or two equal ones are dropped.

    Args:
        source: where they are.
        dropped: counts what was dropped, by source and reason.

    Raises:
        NotFoundError: the hub does not have it, or cannot be reached.
        DatasetError: a row cannot be used; the message says where.
        MissingExtraError: a package that reads it is not installed.
    """
    columns = source.settings.columns
    rows = _hub_rows(source) if source.settings.hub else _file_rows(Path(source.place))
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
        reason = "" if query and positive else "empty side"
        if reason or query == positive:
            if dropped is not None:
                dropped[source.name, reason or "equal sides"] += 1
            continue
        yield Pair(query, positive, (texts[2] or "").strip() if len(texts) > 2 else "")


def _file_rows(path: Path) -> Iterable[Mapping[str, Any]]:
    if path.suffix not in SUFFIXES:
        raise DatasetError(f"{path}: cannot read {path.suffix!r}; expected {' or '.join(SUFFIXES)}")
    return (row.values for row in read_rows(path, str(path)))


def _hub_rows(source: Source) -> Iterable[Mapping[str, Any]]:
    datasets = require("datasets", "train")
    settings = source.settings
    try:
        rows: Iterable[Mapping[str, Any]] = datasets.load_dataset(
            settings.hub,
            settings.config or None,
            split=settings.split,
            revision=settings.revision or None,
        )
    except (OSError, ValueError) as error:  # no network, no such set, configuration or split
        raise NotFoundError(f"{source.place} cannot be had from the hub: {error}") from error
    return rows
