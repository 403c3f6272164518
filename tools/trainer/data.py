"""The pairs of a store as Arrow files of text, for the Trainer: mapped, written once.

Each source becomes one data set, two if only some of its pairs have a negative.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.extras import require
from konayuki.files import replacing
from konayuki.training.batch_plan import draw_rows
from konayuki.training.pair_store import PairStore, SourceRows, StoredTexts
from konayuki.training.sources import COLUMNS

ROWS_AT_ONCE = 16_384


def data_sets(store: PairStore, rows: NDArray[np.int64], *, seed: int) -> dict[str, Any]:
    """Return a `datasets.Dataset` of query, positive and perhaps negative for each source.

    Args:
        store: A store with a folder, in which the Arrow files are kept.
        rows: The pairs that may be trained on.
        seed: Decides which pairs a weight below 1 takes; they are the same in every epoch.

    Raises:
        DatasetError: The store was not read from a folder.
    """
    datasets = require("datasets", "train")
    rng = np.random.default_rng(seed)
    allowed = np.zeros(len(store.pairs), dtype=bool)
    allowed[rows] = True
    sets: dict[str, Any] = {}
    for number, source in enumerate(store.sources):
        drawn = np.flatnonzero(allowed[source.start : source.stop])
        drawn = np.sort(draw_rows(drawn, source.weight, rng))
        table = datasets.Dataset.from_file(str(write_table(store, source, number)))
        has_negative = np.asarray(store.pairs[source.start : source.stop, 2])[drawn] >= 0
        # The Trainer's losses expect a column in every row, so rows without one are kept apart.
        if not has_negative.all():
            sets[source.name] = table.remove_columns(COLUMNS[2]).select(drawn[~has_negative])
        if has_negative.any():
            sets[f"{source.name} with negatives"] = table.select(drawn[has_negative])
    return {name: table for name, table in sets.items() if len(table)}


def write_table(store: PairStore, source: SourceRows, number: int) -> Path:
    """Return the Arrow file with the pairs of a source; it is written unless it exists."""
    arrow = require("pyarrow", "train")
    path = store.text_folder() / f"texts-{number}.arrow"
    if path.exists():
        return path
    schema = arrow.schema([(name, arrow.string()) for name in COLUMNS])
    with (
        replacing(path) as temporary,
        arrow.OSFile(str(temporary), "wb") as sink,
        arrow.ipc.new_stream(sink, schema) as stream,
    ):
        for columns in _blocks(store, source):
            stream.write_batch(arrow.record_batch(columns, schema=schema))
    return path


def _blocks(store: PairStore, source: SourceRows) -> Iterator[list[list[str | None]]]:
    """Yield the columns of some pairs at a time; a missing negative is None."""
    texts = StoredTexts(store.text_folder())
    for start in range(source.start, source.stop, ROWS_AT_ONCE):
        block = np.asarray(store.pairs[start : min(start + ROWS_AT_ONCE, source.stop)])
        yield [
            [texts[number] if number >= 0 else None for number in column]
            for column in block.T.tolist()
        ]
