"""The pairs of a store as Arrow files of text, for the Trainer: mapped, written once.

Each source becomes one data set, two where only some of its pairs have a negative.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.extras import require
from konayuki.training.batch_plan import draw_rows
from konayuki.training.pair_store import PairStore, Stretch
from konayuki.training.sources import COLUMNS

ROWS_AT_ONCE = 16_384
BYTES_AT_ONCE = 1 << 24
NEWLINE = ord("\n")


class StoredTexts:
    """The texts of a store by number, read from its mapped file."""

    def __init__(self, folder: Path) -> None:
        self._bytes = np.memmap(folder / "texts.txt", dtype=np.uint8, mode="r")
        ends = [
            start + np.flatnonzero(self._bytes[start : start + BYTES_AT_ONCE] == NEWLINE)
            for start in range(0, len(self._bytes), BYTES_AT_ONCE)
        ]
        self._ends = np.concatenate(ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] + 1 if number else 0
        text: str = json.loads(bytes(self._bytes[start : self._ends[number]]))
        return text


def texts_of(store: PairStore) -> StoredTexts:
    """Return the texts of a store, each read when it is asked for.

    Raises:
        DatasetError: the store was not read from a folder.
    """
    return StoredTexts(store.text_folder())


def data_sets(store: PairStore, rows: NDArray[np.int64], *, seed: int) -> dict[str, Any]:
    """Return a `datasets.Dataset` of query, positive and perhaps negative for each source.

    Args:
        store: of a folder; the Arrow files are kept in it.
        rows: the pairs that may be trained on.
        seed: decides which pairs a weight below 1 takes; they are the same in every epoch.

    Raises:
        DatasetError: the store was not read from a folder.
    """
    datasets = require("datasets", "train")
    rng = np.random.default_rng(seed)
    allowed = np.zeros(len(store.pairs), dtype=bool)
    allowed[rows] = True
    found: dict[str, Any] = {}
    for number, stretch in enumerate(store.stretches):
        own = np.flatnonzero(allowed[stretch.start : stretch.stop])
        own = np.sort(draw_rows(own, stretch.weight, rng))
        table = datasets.Dataset.from_file(str(write_table(store, stretch, number)))
        has_negative = np.asarray(store.pairs[stretch.start : stretch.stop, 2])[own] >= 0
        if not has_negative.all():
            pairs = table.remove_columns(COLUMNS[2])
            found[stretch.name] = pairs.select(own[~has_negative])
        if has_negative.any():
            found[f"{stretch.name} with negatives"] = table.select(own[has_negative])
    return {name: rows for name, rows in found.items() if len(rows)}


def write_table(store: PairStore, stretch: Stretch, number: int) -> Path:
    """Return the Arrow file with the pairs of a source; it is written where it is not there."""
    arrow = require("pyarrow", "train")
    path = store.text_folder() / f"texts-{number}.arrow"
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    schema = arrow.schema([(name, arrow.string()) for name in COLUMNS])
    with arrow.OSFile(str(partial), "wb") as sink, arrow.ipc.new_stream(sink, schema) as stream:
        for columns in _blocks(store, texts_of(store), stretch):
            stream.write_batch(arrow.record_batch(columns, schema=schema))
    partial.replace(path)
    return path


def _blocks(
    store: PairStore, texts: StoredTexts, stretch: Stretch
) -> Iterator[list[list[str | None]]]:
    """Yield the columns of some pairs at a time; a missing negative is None."""
    for start in range(stretch.start, stretch.stop, ROWS_AT_ONCE):
        block = np.asarray(store.pairs[start : min(start + ROWS_AT_ONCE, stretch.stop)])
        yield [
            [texts[number] if number >= 0 else None for number in column]
            for column in block.T.tolist()
        ]
