"""Reads pairs from local Parquet and JSON Lines files and from data sets of the hub."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.extras import require
from konayuki.rows import read_rows
from konayuki.training.recipe import SourceSettings

CATALOGUE = "SOURCES.tsv"
SUFFIXES = (".parquet", ".jsonl")
COLUMNS = ("query", "positive", "negative")  # if a recipe names none; the last may be missing
OWN_NEGATIVE = "negatives equal to a side"


class Pair(NamedTuple):
    """A query, the passage that answers it, and perhaps one that does not ("" for none)."""

    query: str
    positive: str
    negative: str = ""


@dataclass(frozen=True)
class PairSource:
    """One file or hub data set, with what the model card says of it."""

    name: str
    place: str  # the path or hub id, for messages
    settings: SourceSettings
    origin: str = ""
    licence: str = ""


def find_sources(settings: Sequence[SourceSettings], data: Path) -> list[PairSource]:
    """Return the sources that a recipe names; a file belongs to the first pattern that fits it.

    A file is named by its stem, or by its path below the data folder if several share the stem.

    Raises:
        NotFoundError: A pattern fits no file.
        InputError: A pattern cannot be searched for.
    """
    catalogue = read_catalogue(data / CATALOGUE)
    places: dict[Path | str, SourceSettings] = {}
    for table in settings:
        hub = "/".join(part for part in (table.hub, table.config) if part)
        for place in _files_of(table.files, data) if table.files else [hub]:
            places.setdefault(place, table)
    stems = Counter(place.stem for place in places if isinstance(place, Path))
    sources = []
    for place, table in places.items():
        if isinstance(place, str):
            origin = f"hub: {place} {table.revision}"
            sources.append(PairSource(place, place, table, origin, table.licence))
            continue
        # The name becomes a folder of the results, which must not leave them.
        below = place.relative_to(data).as_posix().replace("../", "up/")
        name = place.stem if stems[place.stem] == 1 else below
        origin, licence = catalogue.get(below) or catalogue.get(place.name, ("", ""))
        sources.append(PairSource(name, str(place), table, origin, table.licence or licence))
    return sources


def _files_of(pattern: str, data: Path) -> list[Path]:
    """Return the files that fit a pattern, in order of their paths."""
    try:
        paths = sorted(path for path in data.glob(pattern) if path.is_file())
    except (NotImplementedError, ValueError) as error:  # an absolute one, or "**" next to letters
        raise InputError(
            f"sources.files is {pattern!r}: expected a pattern below the data folder {data}: "
            f"{error}\nhint: name the data folder with --data"
        ) from None
    if not paths:
        raise NotFoundError(
            f"no file fits {pattern!r} in {data}\nhint: name the data folder with --data"
        )
    return paths


def read_catalogue(path: Path) -> dict[str, tuple[str, str]]:
    """Return source and licence by file name; empty if there is no catalogue.

    Raises:
        DatasetError: It lacks the columns file, source, licence.
    """
    if not path.is_file():
        return {}
    # Not by konayuki.rows: people keep this file by hand, and leave the last cells out.
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return {row["file"]: (row["source"], row["licence"]) for row in rows}
    except KeyError as error:
        raise DatasetError(f"{path}: no column {error}: expected file, source, licence") from None


def read_pairs(
    source: PairSource, dropped: Counter[tuple[str, str]] | None = None
) -> Iterator[Pair]:
    """Yield the pairs of a source, trimmed; pairs with an empty side or two equal ones are dropped.

    A negative that is the query or the passage itself is dropped, its pair is not.

    Args:
        source: The source.
        dropped: The counter of what was dropped, by source and reason.

    Raises:
        NotFoundError: The hub does not have it, or cannot be reached.
        DatasetError: A row cannot be used; the message names it.
        MissingExtraError: A package that reads it is not installed.
    """
    counts = Counter[tuple[str, str]]() if dropped is None else dropped
    hub = bool(source.settings.hub)
    for place, values in _hub_rows(source) if hub else file_rows(Path(source.place)):
        query, positive, negative = _texts_of(values, source.settings.columns, place)
        if not (query and positive):
            counts[source.name, "empty side"] += 1
        elif query == positive:
            counts[source.name, "equal sides"] += 1
        elif negative in (query, positive):
            counts[source.name, OWN_NEGATIVE] += 1
            yield Pair(query, positive)
        else:
            yield Pair(query, positive, negative)


def _texts_of(values: Mapping[str, Any], columns: Sequence[str], place: str) -> Pair:
    """Return the trimmed texts of a row, the negative "" if there is none."""
    texts = [text_of(values, column, place) for column in columns or COLUMNS[:2]]
    if not columns and values.get(COLUMNS[2]) is not None:
        texts.append(text_of(values, COLUMNS[2], place))
    if len(texts) > 2 and texts[2] is None:
        del texts[2]
    if None in texts:
        raise DatasetError(f"{place}: {texts!r}: expected strings")
    return Pair(*(text.strip() for text in texts if text is not None))


def text_of(values: Mapping[str, Any], column: str, place: str) -> str | None:
    """Return the text of a cell, None if it is null.

    Raises:
        DatasetError: The column does not exist, or the cell does not hold text.
    """
    if column not in values:
        raise DatasetError(
            f"{place}: no column {column!r}: the columns are {', '.join(values)}\n"
            "hint: name the columns of the source in the recipe, as in "
            'columns = ["question", "answer"]'
        )
    text = values[column]
    if text is None:
        return None
    if not isinstance(text, str):
        raise DatasetError(
            f"{place}: {column!r} is {text!r:.80}: expected a string\n"
            "hint: give each text of a list a row of its own"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{place}: {column!r} has half a character, {text[error.start]!r}, at {error.start}: "
            "expected Unicode text\nhint: a text cut inside an emoji leaves such a half; drop it"
        ) from None
    return text


def file_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a Parquet or JSON Lines file, each with its place.

    Raises:
        DatasetError: It is of another kind, or damaged.
    """
    if path.suffix not in SUFFIXES:
        raise DatasetError(f"{path}: cannot read {path.suffix!r}: expected {' or '.join(SUFFIXES)}")
    return ((row.place, row.values) for row in read_rows(path, str(path)))


def _hub_rows(source: PairSource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a data set of the hub, each with its place."""
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
        raise NotFoundError(f"{source.place} cannot be loaded from the hub: {error}") from error
    for number, values in enumerate(rows, start=1):
        yield f"{source.place} row {number}", values
