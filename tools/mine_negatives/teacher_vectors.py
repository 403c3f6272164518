"""Teacher vectors of a folder of pairs, kept on disk next to their pairs.

The distinct texts of each column are embedded once, in the order of their first row:

    NAME.COLUMN.npy        float16 (n_texts, dim), unit vectors
    NAME.COLUMN.rows.npy   int32 (n_rows,): the vector of each row of the file, -1 for none
    MANIFEST.json          what is ready, with prefix, cut, counts and speed

A stopped run resumes: vectors so far are in `.partial` files, and an entry
enters the manifest when its column is whole.

    python -m mine_negatives.teacher_vectors PAIRS OUT --file qa-jaquad-train --file ...
"""

import argparse
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.files import replace_file, replacing
from konayuki.training.teacher_cache import Encoder

MANIFEST = "MANIFEST.json"
CHUNK_TEXTS = 2048  # texts between checkpoints
PREFIXES = {"query": "query: ", "positive": "passage: ", "negative": "passage: "}
CUTS = {"query": 32, "positive": 128, "negative": 128}

Float16Matrix = npt.NDArray[np.float16]
Float16Vector = npt.NDArray[np.float16]
RowArray = npt.NDArray[np.int32]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Column:
    """One column of one file of pairs, and how its texts are embedded."""

    file: str
    column: str
    prefix: str
    max_tokens: int

    @property
    def name(self) -> str:
        """The first part of the names of its files."""
        return f"{self.file}.{self.column}"


@dataclass(frozen=True)
class VectorTable:
    """Teacher vectors of one column."""

    vectors: Float16Matrix  # (n_texts, dim), mapped from disk
    rows: RowArray  # (n_rows,), -1 for a row that was not embedded

    def of_rows(self, rows: npt.NDArray[np.integer[Any]]) -> Float16Matrix:
        """Return the vectors of the pairs `rows`: float16 (len(rows), dim).

        Raises:
            InputError: A row has no vector.
        """
        places = self.rows[rows]
        if (places < 0).any():
            raise InputError(f"pair {int(np.asarray(rows)[places < 0][0])} has no teacher vector")
        vectors: Float16Matrix = self.vectors[places]
        return vectors


def distinct_texts(
    texts: Sequence[str], *, n_sample: int | None = None, seed: int = 0
) -> tuple[list[str], RowArray]:
    """Return the distinct `texts` in the order of their first row, and each row's place in them.

    With `n_sample`, only the rows of that many pairs are kept, the same for every column of a
    file, because they are drawn by row and `seed`; the others get -1.
    """
    chosen = np.ones(len(texts), dtype=bool)
    if n_sample is not None and n_sample < len(texts):
        chosen[:] = False
        chosen[np.random.default_rng(seed).permutation(len(texts))[:n_sample]] = True
    places: dict[str, int] = {}
    rows = np.full(len(texts), -1, dtype=np.int32)
    for row in np.flatnonzero(chosen).tolist():
        rows[row] = places.setdefault(texts[row], len(places))
    return list(places), rows


def embed_column(
    encoder: Encoder,
    pairs: Path,
    out: Path,
    column: Column,
    *,
    n_sample: int | None = None,
) -> None:
    """Embed one column of `pairs/FILE.parquet` into `out`, unless the manifest has it already.

    Raises:
        NotFoundError: The file of pairs does not exist.
        DatasetError: The file has no such column.
    """
    if column.name in read_manifest(out):
        return
    texts = _read_texts(pairs / f"{column.file}.parquet", column.column)
    distinct, rows = distinct_texts(texts, n_sample=n_sample)
    started, seconds_before = time.monotonic(), time.process_time()
    known = _known_vectors(out, column, distinct)
    _embed_chunks(encoder, distinct, out, column, known)
    _save(out / f"{column.name}.rows.npy", rows)
    entry = {
        **asdict(column),
        "pairs": str(pairs),
        "n_rows": len(texts),
        "n_rows_embedded": int((rows >= 0).sum()),
        "n_texts": len(distinct),
        "n_known_before": len(known),
        "dim": encoder.dim,
        "wall_s": round(time.monotonic() - started, 1),
        "cpu_s": round(time.process_time() - seconds_before, 1),
    }
    _write_json(out / MANIFEST, {**read_manifest(out), column.name: entry})
    logger.info("%s: %s", column.name, entry)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what is ready in `folder`: name of a column to its entry; empty for a new folder."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def load_vectors(folder: Path, file: str, column: str) -> VectorTable:
    """Return the teacher vectors of `column` of the pairs `file`, mapped and not loaded.

    Raises:
        NotFoundError: They are not ready.
        DatasetError: Their files do not fit each other.
    """
    name = f"{file}.{column}"
    if name not in read_manifest(folder):
        raise NotFoundError(f"{folder}: no teacher vectors of {name!r} yet")
    vectors = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    rows = np.load(folder / f"{name}.rows.npy", allow_pickle=False)
    if vectors.ndim != 2 or (len(rows) and rows.max() >= len(vectors)):
        raise DatasetError(f"{folder}: {name} has {len(vectors)} vectors, row {rows.max()} named")
    return VectorTable(vectors, rows)


def _known_vectors(out: Path, column: Column, texts: Sequence[str]) -> dict[str, Float16Vector]:
    """Return the vectors of those `texts` that other columns hold with the same prefix and cut."""
    wanted, known = set(texts), dict[str, Float16Vector]()
    for entry in read_manifest(out).values():
        if (entry["prefix"], entry["max_tokens"]) != (column.prefix, column.max_tokens):
            continue
        path = Path(entry["pairs"]) / f"{entry['file']}.parquet"
        table = load_vectors(out, entry["file"], entry["column"])
        for text, row in zip(_read_texts(path, entry["column"]), table.rows.tolist(), strict=True):
            if row >= 0 and text in wanted:
                known[text] = table.vectors[row]
    return known


def _embed_chunks(
    encoder: Encoder,
    texts: Sequence[str],
    out: Path,
    column: Column,
    known: Mapping[str, Float16Vector],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    partial, progress = out / f"{column.name}.partial", out / f"{column.name}.done"
    shape = (len(texts), encoder.dim)
    done = _done_so_far(partial, progress, shape)
    mode: Any = "r+" if done else "w+"
    vectors = np.lib.format.open_memmap(partial, mode=mode, dtype=np.float16, shape=shape)
    for start in range(done, len(texts), CHUNK_TEXTS):
        chunk = texts[start : start + CHUNK_TEXTS]
        vectors[start : start + len(chunk)] = _embed_chunk(encoder, chunk, column, known)
        vectors.flush()
        _write_json(progress, {"n_done": start + len(chunk), "shape": shape})
        logger.info("%s: %d of %d", column.name, start + len(chunk), len(texts))
    partial.replace(out / f"{column.name}.npy")
    progress.unlink(missing_ok=True)


def _embed_chunk(
    encoder: Encoder, texts: Sequence[str], column: Column, known: Mapping[str, Float16Vector]
) -> Float16Matrix:
    fresh = [text for text in texts if text not in known]
    vectors = {text: known[text] for text in texts if text in known}
    if fresh:
        embedded = encoder.encode(fresh, column.prefix, max_tokens=column.max_tokens)
        vectors.update(zip(fresh, embedded.astype(np.float16), strict=True))
    return np.stack([vectors[text] for text in texts])


def _done_so_far(partial: Path, progress: Path, shape: tuple[int, int]) -> int:
    if not (partial.exists() and progress.exists()):
        return 0
    state = json.loads(progress.read_text(encoding="utf-8"))
    return int(state["n_done"]) if tuple(state["shape"]) == shape else 0


def _read_texts(path: Path, column: str) -> list[str]:
    from pyarrow import parquet  # the extra `train`; reading vectors does not need it

    if not path.is_file():
        raise NotFoundError(f"{path}: no such file of pairs")
    if column not in parquet.read_schema(path).names:
        raise DatasetError(f"{path}: no column {column!r}")
    texts: list[str] = parquet.read_table(path, columns=[column])[column].to_pylist()
    return texts


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with replacing(path) as temporary:
        np.save(temporary, array)


def _write_json(path: Path, content: object) -> None:
    replace_file(path, json.dumps(content, ensure_ascii=False, indent=1))


def columns_of(
    files: Iterable[str], *, names: Sequence[str] = ("positive", "query")
) -> list[Column]:
    """Return the columns `names` of each file, passages first, with the usual prefix and cut."""
    return [Column(file, name, PREFIXES[name], CUTS[name]) for file in files for name in names]


def main(arguments: Sequence[str] | None = None) -> None:
    """Embed columns named on the command line, in that order."""
    import torch

    from konayuki.training.teacher import Teacher

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", type=Path, help="folder of Parquet files with query and positive")
    parser.add_argument("out", type=Path, help="folder for the vectors")
    parser.add_argument("--file", action="append", required=True, help="NAME or NAME:N to sample")
    parser.add_argument(
        "--columns", nargs="+", default=["positive", "query"], choices=sorted(PREFIXES)
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    teacher = Teacher.load()
    for file in options.file:
        name, _, size = file.partition(":")
        for column in columns_of([name], names=options.columns):
            n_sample = int(size) if size else None
            embed_column(teacher, options.pairs, options.out, column, n_sample=n_sample)


if __name__ == "__main__":
    main()
