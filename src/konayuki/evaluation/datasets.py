"""Find evaluation sets: a folder in BEIR, NanoBEIR or STS layout, a folder of such, or a hub id.

Layouts of a folder, each table in Parquet, JSON Lines (also .gz), TSV or CSV:

- BEIR: `corpus`, `queries` and `qrels` side by side; the qrels may lie in `qrels/test.tsv`;
- NanoBEIR: folders `corpus/`, `queries/`, `qrels/` with one Parquet file (or several) a set;
- STS: `stsb` with sentence1, sentence2, score.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.evaluation.records import (
    EvaluationSet,
    RetrievalSet,
    build_retrieval_set,
    build_similarity_set,
)
from konayuki.model.hub import looks_like_hub_id, read_hub_id
from konayuki.rows import SUFFIXES, Row, find_table, read_rows

PARTS = ("corpus", "queries", "qrels")
SHARD = re.compile(r"-\d{5}-of-\d{5}$")


class _Place(NamedTuple):
    """A set that a folder holds, before it is read."""

    name: str
    folder: Path
    layout: str  # "beir", "nano" or "sts"


def read_sets(
    source: str | Path, *, only: Sequence[str] = (), strict: bool | None = None
) -> Iterator[EvaluationSet]:
    """Yield the evaluation sets of a folder or a hub id, one at a time.

    Args:
        source: a folder with a set or with folders of sets, or the id of a data set on the hub.
        only: names of the sets wanted; all unless given.
        strict: refuse empty texts, ids used twice and judgements of unknown ids. Unless given,
            folders are read strictly and the hub's sets as sentence-transformers reads them.

    Raises:
        NotFoundError: there is no such folder and it cannot be a hub id.
        DatasetError: a set cannot be read; the message names file, row and reason.
        InputError: a name in `only` is not there.
    """
    folder = Path(source)
    if folder.is_dir():
        return _read_folder(folder, only, strict=strict is not False)
    if not _may_be_hub_id(str(source)):
        raise NotFoundError(
            f"there is no folder {str(source)!r}; expected a folder with evaluation sets "
            "or a hub id such as 'tomaarsen/NanoBEIR-ja'"
        )
    from konayuki.evaluation.hub_sets import read_hub_sets

    return read_hub_sets(str(source), only, strict=strict is True)


def _may_be_hub_id(source: str) -> bool:
    """Say whether a name that is no folder is asked of the hub, by the rule for models."""
    found = read_hub_id(source)
    return found is not None and found.revision is None and looks_like_hub_id(source)


def _read_folder(folder: Path, only: Sequence[str], *, strict: bool) -> Iterator[EvaluationSet]:
    places = list(_places(folder))
    if not places:
        raise DatasetError(
            f"no evaluation set in {folder}\nhint: a set has the tables corpus, queries and qrels "
            f"(or stsb), each as one of {', '.join(SUFFIXES)}"
        )
    for place in _chosen(places, only):
        yield _READERS[place.layout](place, strict)


def _chosen(places: Sequence[_Place], only: Sequence[str]) -> list[_Place]:
    """Return the places with the names wanted, all of them where none is given.

    Raises:
        InputError: a name is not there.
    """
    names = [place.name for place in places]
    for name in only:
        if name not in names:
            raise InputError(f"there is no set {name!r}; expected one of {', '.join(names)}")
    return [place for place in places if not only or place.name in only]


def _places(folder: Path, *, look_below: bool = True) -> Iterator[_Place]:
    """Yield the sets of a folder, then those of the folders in it, by name."""
    name = folder.resolve().name
    if find_table(folder, "stsb"):
        yield _Place(name, folder, "sts")
    if any(find_table(folder, part) for part in PARTS):
        yield _Place(name, folder, "beir")
    elif all((folder / part).is_dir() for part in PARTS):
        for split in sorted(_splits(folder / "corpus")):
            yield _Place(split, folder, "nano")
    elif look_below:
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _places(below, look_below=False)


def _read_beir(place: _Place, strict: bool) -> RetrievalSet:
    tables = [_table_of(place, part) for part in PARTS]
    # In a collection every set has the same file names: say which set a row is in.
    labels = [f"{place.name}/{path.relative_to(place.folder).as_posix()}" for path in tables]
    corpus, queries, qrels = map(read_rows, tables, labels)
    return build_retrieval_set(place.name, corpus, queries, qrels, strict=strict)


def _table_of(place: _Place, part: str) -> Path:
    path = find_table(place.folder, part)
    if path is None and part == "qrels":
        path = find_table(place.folder / "qrels", "test")
    if path is None:
        have = ", ".join(sorted(path.name for path in place.folder.iterdir()))
        raise DatasetError(
            f"{place.name}: no table {part!r} ({part}.parquet, {part}.jsonl, {part}.tsv ...); "
            f"the folder has {have}"
        )
    return path


def _splits(folder: Path) -> set[str]:
    return {SHARD.sub("", path.stem) for path in folder.glob("*.parquet")}


def _read_nano(place: _Place, strict: bool) -> RetrievalSet:
    corpus, queries, qrels = (_shards(place, part) for part in PARTS)
    return build_retrieval_set(place.name, corpus, queries, qrels, strict=strict)


def _shards(place: _Place, part: str) -> Iterator[Row]:
    """Yield the rows of one split, whose table may be cut into several files."""
    files = [
        path
        for path in sorted((place.folder / part).glob("*.parquet"))
        if SHARD.sub("", path.stem) == place.name
    ]
    if not files:
        raise DatasetError(f"{place.name}: no file {part}/{place.name}*.parquet")
    return chain.from_iterable(read_rows(path, f"{part}/{path.name}") for path in files)


def _read_sts(place: _Place, _strict: bool) -> EvaluationSet:
    path = find_table(place.folder, "stsb")
    assert path is not None  # noqa: S101 - this is how the place was found
    return build_similarity_set(place.name, read_rows(path, f"{place.name}/{path.name}"))


_READERS = {"beir": _read_beir, "nano": _read_nano, "sts": _read_sts}
