"""Where pairs come from: local Parquet and JSON Lines files, and data sets of the hub."""

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
COLUMNS = ("query", "positive", "negative")  # where a recipe names none; the last may be missing
OWN_NEGATIVE = "negatives equal to a side"


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

    A file is named by its stem, and by its path below the data folder where several share that.

    Raises:
        NotFoundError: a pattern fits no file.
        InputError: a pattern is none that can be searched for.
    """
    catalogue = read_catalogue(data / CATALOGUE)
    found: dict[Path | str, SourceSettings] = {}
    for one in settings:
        places = _files_of(one.files, data) if one.files else [_hub_name(one)]
        for place in places:
            found.setdefault(place, one)
    stems = Counter(_stem(place) for place in found if isinstance(place, Path))
    sources = []
    for place, one in found.items():
        if isinstance(place, str):
            sources.append(Source(place, place, one, f"hub: {place} {one.revision}", one.licence))
            continue
        # The name becomes a folder of the results, which must not lie outside them.
        below = place.relative_to(data).as_posix().replace("../", "up/")
        name = _stem(place) if stems[_stem(place)] == 1 else below
        origin, licence = catalogue.get(below) or catalogue.get(place.name, ("", ""))
        sources.append(Source(name, str(place), one, origin, one.licence or licence))
    return sources


def _hub_name(settings: SourceSettings) -> str:
    return "/".join(part for part in (settings.hub, settings.config) if part)


def _stem(path: Path) -> str:
    return path.name.removesuffix(path.suffix)


def _files_of(pattern: str, data: Path) -> list[Path]:
    """Return the files that fit a pattern, in order of their paths."""
    try:
        found = sorted(path for path in data.glob(pattern) if path.is_file())
    except (NotImplementedError, ValueError) as error:  # an absolute one, or "**" beside letters
        raise InputError(
            f"sources.files is {pattern!r}; expected a pattern below the data folder {data}: "
            f"{error}\nhint: name the data folder with --data"
        ) from None
    if not found:
        raise NotFoundError(
            f"no file fits {pattern!r} in {data}\nhint: name the data folder with --data"
        )
    return found


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

    A negative that is the query or the passage itself is dropped, its pair is not.

    Args:
        source: where they are.
        dropped: counts what was dropped, by source and reason.

    Raises:
        NotFoundError: the hub does not have it, or cannot be reached.
        DatasetError: a row cannot be used; the message says where.
        MissingExtraError: a package that reads it is not installed.
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
    """Return the trimmed texts of a row, the negative "" where there is none."""
    found = [text_of(values, column, place) for column in columns or COLUMNS[:2]]
    if not columns and values.get(COLUMNS[2]) is not None:
        found.append(text_of(values, COLUMNS[2], place))
    if len(found) > 2 and found[2] is None:
        del found[2]
    if None in found:
        raise DatasetError(f"{place}: expected strings, not {found!r}")
    return Pair(*(text.strip() for text in found if text is not None))


def text_of(values: Mapping[str, Any], column: str, place: str) -> str | None:
    """Return the text of a cell, None where it is null.

    Raises:
        DatasetError: there is no such column, or the cell holds no text.
    """
    if column not in values:
        raise DatasetError(
            f"{place}: no column {column!r}; it has {', '.join(values)}\n"
            "hint: name the columns of the source in the recipe, as in "
            'columns = ["question", "answer"]'
        )
    text = values[column]
    if text is None:
        return None
    if not isinstance(text, str):
        raise DatasetError(
            f"{place}: {column!r} is {text!r:.80}; expected a string\n"
            "hint: give each text of a list a row of its own"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{place}: {column!r} has half a character, {text[error.start]!r}, at {error.start}; "
            "expected Unicode text\nhint: a text cut inside an emoji leaves such a half; drop it"
        ) from None
    return text


def file_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a Parquet or JSON Lines file, each with its place.

    Raises:
        DatasetError: it is of another kind, or damaged.
    """
    if path.suffix not in SUFFIXES:
        raise DatasetError(f"{path}: cannot read {path.suffix!r}; expected {' or '.join(SUFFIXES)}")
    return ((row.place, row.values) for row in read_rows(path, str(path)))


def _hub_rows(source: Source) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
        raise NotFoundError(f"{source.place} cannot be had from the hub: {error}") from error
    for number, values in enumerate(rows, start=1):
        yield f"{source.place} row {number}", values
