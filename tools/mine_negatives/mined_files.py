"""Mines the hard negatives of whole files of pairs and keeps them next to the teacher's vectors.

FILE.mined.parquet         query, positive, negative: the pairs of FILE with their first negatives,
                           for `konayuki train` to read in place of FILE.parquet
FILE.negatives.npy         int32 (n_rows, n_negatives), rows of the pool, -1 for none
FILE.negative_scores.npy   float16 (n_rows, 1 + n_negatives): own passage, then the negatives
FILE.negatives.json        the pool (files and their numbers of rows, one after the other),
                           which column came from which list, and the settings

python -m mine_negatives.mined_files PAIRS VECTORS --elsewhere kyoto_wikipedia_ja FILE...
"""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as arrow
from pyarrow import parquet

from konayuki.errors import InputError
from konayuki.files import replacing
from konayuki.training.sources import COLUMNS
from mine_negatives.bigrams import BigramIndex, RowMatrix
from mine_negatives.mining import (
    NegativeFilter,
    Negatives,
    mine,
    nearest_passages,
    right_answers,
)
from mine_negatives.teacher_vectors import load_vectors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MiningSettings:
    """How many negatives come from which list, and what is dropped."""

    n_teacher: int = 4
    n_bm25: int = 2
    n_elsewhere: int = 2
    n_candidates: int = 256
    ratio: float = 0.98
    margin: float = 0.0

    @property
    def columns(self) -> list[str]:
        """Where each column of negatives comes from."""
        return [
            *["teacher"] * self.n_teacher,
            *["bm25"] * self.n_bm25,
            *["elsewhere"] * self.n_elsewhere,
        ]


@dataclass(frozen=True)
class Passages:
    """The distinct embedded passages of some files, as one numbered pool."""

    texts: list[str]
    vectors: npt.NDArray[np.float16]
    pool_rows: npt.NDArray[np.int32]  # (n_texts,): first row of the text, counted over all files
    files: list[tuple[str, int]]  # name and number of rows


def read_passages(pairs: Path, vectors: Path, files: Sequence[str]) -> Passages:
    """Return the passages of `files` that the teacher has embedded.

    Raises:
        NotFoundError: One of the files has no vectors yet.
    """
    texts: list[str] = []
    blocks, rows, sizes = [], [], []
    before = 0
    for file in files:
        table = load_vectors(vectors, file, "positive")
        column = _column(pairs, file, "positive")
        places, first = np.unique(table.rows, return_index=True)
        first = first[places >= 0]  # place i of the vectors is the text of row first[i]
        texts.extend(column[row] for row in first.tolist())
        blocks.append(np.asarray(table.vectors))
        rows.append(first + before)
        sizes.append((file, len(column)))
        before += len(column)
    pool_rows = np.concatenate(rows).astype(np.int32)
    return Passages(texts, np.concatenate(blocks), pool_rows, sizes)


def mine_file(
    pairs: Path,
    vectors: Path,
    file: str,
    *,
    elsewhere: Sequence[str] = (),
    settings: MiningSettings = MiningSettings(),
    n_written: int = 1,
) -> Negatives:
    """Mine negatives for every embedded pair of `file` and write them to `vectors`.

    Rows of pairs that the teacher has not embedded are -1 with NaN scores.

    Args:
        pairs: The folder of the pairs.
        vectors: The folder of the teacher's vectors of them.
        file: Name of a file of pairs, without its ending.
        elsewhere: Names of other files, whose passages may be negatives too.
        settings: How many negatives are taken, and which are dropped.
        n_written: A pair is written once with each of its first N negatives, or once without a
            negative if none was found.

    Raises:
        NotFoundError: A file has no vectors yet.
        InputError: `elsewhere` names `file` itself.
    """
    if file in elsewhere:
        raise InputError(f"{file!r} is among the files elsewhere: expected other files")
    pool = read_passages(pairs, vectors, [file, *elsewhere])
    queries = load_vectors(vectors, file, "query")
    answers = load_vectors(vectors, file, "positive")
    chosen = np.flatnonzero((queries.rows >= 0) & (answers.rows >= 0))
    all_texts = _column(pairs, file, "query")
    texts = [all_texts[row] for row in chosen.tolist()]
    lists = _candidates(texts, queries.of_rows(chosen), pool, len(answers.vectors), settings)
    negatives = mine(
        queries.of_rows(chosen),
        pool.vectors,
        answers.rows[chosen],
        lists,
        keep=NegativeFilter(settings.ratio, settings.margin),
        also_right=right_answers(texts, answers.rows[chosen]),
    )
    whole = _spread(negatives, chosen, len(all_texts), pool)
    _write(vectors, file, whole, pool, settings)
    _write_pairs(
        vectors / f"{file}.mined.parquet",
        (all_texts, _column(pairs, file, "positive")),
        whole.rows,
        dict(zip(pool.pool_rows.tolist(), pool.texts, strict=True)),
        n_written,
    )
    return whole


def _candidates(
    texts: Sequence[str],
    query_vectors: npt.NDArray[np.float16],
    pool: Passages,
    n_own: int,
    settings: MiningSettings,
) -> list[tuple[RowMatrix, int]]:
    k = settings.n_candidates
    distinct = list(dict.fromkeys(texts))
    number_of = {text: number for number, text in enumerate(distinct)}
    expand = np.array([number_of[text] for text in texts], dtype=np.int64)
    lists = [(nearest_passages(query_vectors, pool.vectors[:n_own], k), settings.n_teacher)]
    own_index = BigramIndex(pool.texts[:n_own])
    lists.append((own_index.top(distinct, k)[0][expand], settings.n_bm25))
    if n_own < len(pool.texts) and settings.n_elsewhere:
        rows = BigramIndex(pool.texts[n_own:]).top(distinct, k)[0][expand]
        lists.append((np.where(rows >= 0, rows + n_own, -1), settings.n_elsewhere))
    return lists


def _spread(
    found: Negatives, chosen: npt.NDArray[np.int64], n_rows: int, pool: Passages
) -> Negatives:
    rows = np.full((n_rows, found.rows.shape[1]), -1, dtype=np.int32)
    rows[chosen] = np.where(found.rows >= 0, pool.pool_rows[found.rows], -1)
    scores = np.full((n_rows, found.scores.shape[1]), np.nan, dtype=np.float16)
    scores[chosen] = found.scores
    return Negatives(rows, scores)


def _write(
    folder: Path, file: str, found: Negatives, pool: Passages, settings: MiningSettings
) -> None:
    np.save(folder / f"{file}.negatives.npy", found.rows)
    np.save(folder / f"{file}.negative_scores.npy", found.scores)
    filled = (found.rows >= 0).mean(axis=0).round(4).tolist()
    about: dict[str, Any] = {
        "pool": pool.files,
        "columns": settings.columns[: found.rows.shape[1]],
        "filled": filled,
        "settings": asdict(settings),
    }
    path = folder / f"{file}.negatives.json"
    path.write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
    logger.info("%s: %s", file, about)


def _write_pairs(
    path: Path,
    sides: tuple[list[str], list[str]],
    negatives: RowMatrix,
    texts: Mapping[int, str],
    n_written: int,
) -> None:
    """Write the pairs with the texts of their first negatives as a file to train on."""
    rows: list[tuple[str, str, str | None]] = []
    for query, positive, places in zip(*sides, negatives.tolist(), strict=True):
        found = [texts[place] for place in places if place >= 0][:n_written]
        rows += [(query, positive, negative) for negative in found]
        if not found:
            rows.append((query, positive, None))
    columns = {
        name: arrow.array([row[place] for row in rows], arrow.string())
        for place, name in enumerate(COLUMNS)
    }
    with replacing(path) as temporary:
        parquet.write_table(arrow.table(columns), temporary)


def _column(pairs: Path, file: str, column: str) -> list[str]:
    found: list[str] = parquet.read_table(pairs / f"{file}.parquet", columns=[column])[
        column
    ].to_pylist()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Mine the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("file", nargs="+")
    parser.add_argument("--elsewhere", action="append", default=[])
    parser.add_argument(
        "--negatives",
        type=int,
        default=1,
        metavar="N",
        help="write a pair once with each of its first N negatives (default: 1)",
    )
    options = parser.parse_args(arguments)
    if options.negatives < 1:
        parser.error(f"--negatives is {options.negatives}: expected a number above 0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for file in options.file:
        elsewhere = [name for name in options.elsewhere if name != file]
        mine_file(
            options.pairs,
            options.vectors,
            file,
            elsewhere=elsewhere,
            n_written=options.negatives,
        )


if __name__ == "__main__":
    main()
