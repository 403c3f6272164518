"""Evaluation sets of a folder (BEIR, NanoBEIR or STS layout, or a folder of such) or a hub id.

Layouts of a folder, each table in Parquet, JSON Lines (also .gz), TSV or CSV:

- BEIR: `corpus`, `queries` and `qrels` next to each other, or `qrels/test.tsv`;
- NanoBEIR: folders `corpus/`, `queries/`, `qrels/` with one Parquet file (or several) per set;
- STS: `stsb` with sentence1, sentence2, score.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from konayuki.errors import DatasetError, NotFoundError
from konayuki.evaluation.sets import (
    EvaluationSet,
    RetrievalSet,
    build_retrieval_set,
    build_similarity_set,
    chosen,
)
from konayuki.files import make_folder, replace_file
from konayuki.model.hub import looks_like_hub_id, read_hub_id
from konayuki.rows import SUFFIXES, Row, find_table, read_rows

PARTS = ("corpus", "queries", "qrels")
SHARD = re.compile(r"-\d{5}-of-\d{5}$")


class _SetFolder(NamedTuple):
    """A set in a folder, before it is read."""

    name: str
    folder: Path
    layout: str  # "beir", "nano" or "sts"


def read_sets(
    source: str | Path, *, only: Sequence[str] = (), strict: bool | None = None
) -> Iterator[EvaluationSet]:
    """Yield the evaluation sets of a folder or a hub id, one at a time.

    Args:
        source: A folder with a set or with folders of sets, or the id of a data set on the hub.
        only: Names of sets; default: all of them.
        strict: Whether empty texts, duplicate ids and judgements of unknown ids are refused.
            Default: folders are read strictly, and the hub's sets as sentence-transformers does.

    Raises:
        NotFoundError: The folder does not exist, and the name cannot be a hub id.
        DatasetError: A set cannot be read; the message names file, row and reason.
        InputError: `only` names a set that does not exist.

    Examples:
        >>> from konayuki.evaluation import Passage, RetrievalSet, write_set
        >>> mine = RetrievalSet("mine", {"d": Passage("富士山")}, {"q": "山"}, {"q": {"d": 1}})
        >>> write_set(mine, Path("sets/mine"))
        >>> [read.name for read in read_sets("sets")]
        ['mine']
    """
    folder = Path(source)
    if folder.is_dir():
        return _read_folder(folder, only, strict=strict is not False)
    if not _may_be_hub_id(str(source)):
        raise NotFoundError(
            f"there is no folder {str(source)!r}: expected a folder with evaluation sets "
            "or a hub id such as 'tomaarsen/NanoBEIR-ja'"
        )
    from konayuki.evaluation.hub_sets import read_hub_sets

    return read_hub_sets(str(source), only, strict=strict is True)


def _may_be_hub_id(source: str) -> bool:
    """Return whether a name that is not a folder is a hub id, by the rule for models."""
    hub_id = read_hub_id(source)
    return hub_id is not None and hub_id.revision is None and looks_like_hub_id(source)


def _read_folder(folder: Path, only: Sequence[str], *, strict: bool) -> Iterator[EvaluationSet]:
    set_folders = list(_find_sets(folder))
    if not set_folders:
        raise DatasetError(
            f"no evaluation set in {folder}\nhint: a set has the tables corpus, queries and qrels "
            f"(or stsb), each as one of {', '.join(SUFFIXES)}"
        )
    for name in chosen([source.name for source in set_folders], only):
        for source in set_folders:
            if source.name == name:
                yield _READERS[source.layout](source, strict)


def _find_sets(folder: Path, *, look_below: bool = True) -> Iterator[_SetFolder]:
    """Yield the sets of a folder, then those of the folders in it, by name."""
    name = folder.resolve().name
    if find_table(folder, "stsb"):
        yield _SetFolder(name, folder, "sts")
    if any(find_table(folder, part) for part in PARTS):
        yield _SetFolder(name, folder, "beir")
    elif all((folder / part).is_dir() for part in PARTS):
        shards = (folder / "corpus").glob("*.parquet")
        for split in sorted({SHARD.sub("", shard.stem) for shard in shards}):
            yield _SetFolder(split, folder, "nano")
    elif look_below:
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _find_sets(below, look_below=False)


def _read_beir(source: _SetFolder, strict: bool) -> RetrievalSet:
    tables = [_table_of(source, part) for part in PARTS]
    # In a collection every set has the same file names: say which set a row is in.
    labels = [f"{source.name}/{path.relative_to(source.folder).as_posix()}" for path in tables]
    corpus, queries, qrels = map(read_rows, tables, labels)
    return build_retrieval_set(source.name, corpus, queries, qrels, strict=strict)


def _table_of(source: _SetFolder, part: str) -> Path:
    path = find_table(source.folder, part)
    if path is None and part == "qrels":
        path = find_table(source.folder / "qrels", "test")
    if path is None:
        names = ", ".join(sorted(path.name for path in source.folder.iterdir()))
        raise DatasetError(
            f"{source.name}: no table {part!r}: the folder has {names}: "
            f"expected {part}.parquet, {part}.jsonl, {part}.tsv ..."
        )
    return path


def _read_nano(source: _SetFolder, strict: bool) -> RetrievalSet:
    corpus, queries, qrels = (_shards(source, part) for part in PARTS)
    return build_retrieval_set(source.name, corpus, queries, qrels, strict=strict)


def _shards(source: _SetFolder, part: str) -> Iterator[Row]:
    """Yield the rows of one split, whose table may be split into several files."""
    files = [
        path
        for path in sorted((source.folder / part).glob("*.parquet"))
        if SHARD.sub("", path.stem) == source.name
    ]
    if not files:
        raise DatasetError(f"{source.name}: no file {part}/{source.name}*.parquet")
    return chain.from_iterable(read_rows(path, f"{part}/{path.name}") for path in files)


def _read_sts(source: _SetFolder, _strict: bool) -> EvaluationSet:
    path = find_table(source.folder, "stsb")
    assert path is not None  # noqa: S101 - this is how the set was found
    return build_similarity_set(source.name, read_rows(path, f"{source.name}/{path.name}"))


_READERS = {"beir": _read_beir, "nano": _read_nano, "sts": _read_sts}


def write_set(retrieval_set: RetrievalSet, folder: Path) -> None:
    """Write `corpus.jsonl`, `queries.jsonl` and `qrels.jsonl` of a set, as `read_sets` reads them.

    Args:
        retrieval_set: The set.
        folder: Created if it does not exist; its name becomes the name of the set.

    Raises:
        InputError: `folder` is a file.
        WriteError: A file cannot be written.

    Examples:
        >>> from konayuki.evaluation import Passage, RetrievalSet
        >>> mine = RetrievalSet("mine", {"d": Passage("富士山")}, {"q": "山"}, {"q": {"d": 1}})
        >>> write_set(mine, Path("mine"))
        >>> sorted(path.name for path in Path("mine").iterdir())
        ['corpus.jsonl', 'qrels.jsonl', 'queries.jsonl']
    """
    make_folder(folder)
    tables: dict[str, Iterable[Mapping[str, object]]] = {
        "corpus": (
            {"_id": doc_id, "title": passage.title, "text": passage.text}
            for doc_id, passage in retrieval_set.corpus.items()
        ),
        "queries": (
            {"_id": query_id, "text": text} for query_id, text in retrieval_set.queries.items()
        ),
        "qrels": (
            {"query-id": query_id, "corpus-id": doc_id, "score": gain}
            for query_id, gains in retrieval_set.qrels.items()
            for doc_id, gain in gains.items()
        ),
    }
    for name, rows in tables.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        replace_file(folder / f"{name}.jsonl", "".join(lines))
