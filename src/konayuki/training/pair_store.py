"""Pairs as token ids on disk, memory-mapped: an epoch, or the next run, never tokenises again.

A store is a folder:

    ids.npy      uint16 or int32 (n_tokens,): the tokens of all distinct texts, end to end
    offsets.npy  int64 (n_texts + 1,)
    pairs.npy    int32 (n_pairs, 3): query, positive, negative as text numbers, -1 for no negative
    texts.txt    the texts, one JSON string per line
    store.json   sources with their rows of pairs, what was dropped, and the key

The key is a hash of everything that the content follows from, so a folder is reused exactly when
building it again would give the same.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import DatasetError
from konayuki.model.tokens import TokenBatch, Tokenizer
from konayuki.progress import track
from konayuki.training.sources import Pair, PairSource

FORMAT = 2  # 1 lacked the column `negative`
TEXTS_AT_ONCE = 8192
BYTES_AT_ONCE = 1 << 24
NEWLINE = ord("\n")  # inside a text JSON writes it as \\n
SUMMARY = "store.json"
ARRAYS = ("ids", "offsets", "pairs")
TEXTS = "texts.txt"


@dataclass(frozen=True)
class SourceRows:
    """The pairs of one source: rows `start` to `stop` of the table of pairs."""

    name: str
    start: int
    stop: int
    weight: float
    origin: str = ""
    licence: str = ""
    group: str = ""

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class PairStore:
    """Tokenised pairs."""

    ids: NDArray[np.integer]
    offsets: NDArray[np.int64]
    pairs: NDArray[np.int32]
    sources: tuple[SourceRows, ...]
    vocab_size: int
    dropped: tuple[Mapping[str, Any], ...] = ()
    folder: Path | None = field(default=None, compare=False)

    @property
    def n_texts(self) -> int:
        """Return the number of distinct texts."""
        return len(self.offsets) - 1

    def bags(self, texts: NDArray[np.integer], longest: int = 0) -> TokenBatch:
        """Return the tokens of some texts, each cut after `longest` tokens; 0 cuts nothing."""
        return some_bags(self.ids, self.offsets, texts, longest)

    def token_counts(self) -> NDArray[np.int64]:
        """Return how often each token occurs in the distinct texts: (vocab_size,)."""
        return np.bincount(self.ids, minlength=self.vocab_size)

    def texts(self) -> list[str]:
        """Return the distinct texts, by number."""
        return list(StoredTexts(self.text_folder()))

    def text_folder(self) -> Path:
        """Return the folder that holds the texts.

        Raises:
            DatasetError: The store was not read from a folder.
        """
        if self.folder is None:
            raise DatasetError("this store has no folder: expected one that was opened")
        return self.folder


class StoredTexts:
    """The texts of a store by number, each read from its mapped file when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._bytes = np.memmap(folder / TEXTS, dtype=np.uint8, mode="r")
        # In blocks: a comparison of the whole file would take as much memory as the file.
        ends = [
            start + np.flatnonzero(self._bytes[start : start + BYTES_AT_ONCE] == NEWLINE)
            for start in range(0, len(self._bytes), BYTES_AT_ONCE)
        ]
        self._ends = np.concatenate(ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends):
            raise IndexError(number)
        start = self._ends[number - 1] + 1 if number else 0
        text: str = json.loads(bytes(self._bytes[start : self._ends[number]]))
        return text

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))


def some_bags(
    ids: NDArray[np.integer],
    offsets: NDArray[np.int64],
    texts: NDArray[np.integer],
    longest: int = 0,
) -> TokenBatch:
    """Return the tokens of some texts, each cut after `longest` tokens; 0 cuts nothing.

    Args:
        ids: The tokens of all texts, end to end.
        offsets: The start of each text in them, int64 (n_texts + 1,).
        texts: The numbers of the texts.
        longest: The most tokens of a text.
    """
    starts = offsets[texts]
    lengths = offsets[np.asarray(texts) + 1] - starts
    if longest:
        lengths = np.minimum(lengths, longest)
    ends = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ends[1:])
    places = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
    return TokenBatch(ids[places].astype(np.int32), ends)


def store_key(
    sources: Sequence[PairSource], tokenizer_json: bytes, evaluation: Sequence[Path] = ()
) -> str:
    """Return the hash of what a store follows from: sources, tokenizer, decontamination.

    Args:
        sources: The sources; a file has changed if its size or time has.
        tokenizer_json: The bytes of the tokenizer.
        evaluation: The folders whose texts are kept out, with the content of their files.
    """
    digest = hashlib.blake2b(tokenizer_json, digest_size=16)
    for source in sources:
        stamp: tuple[object, ...] = ()
        if not source.settings.hub:
            stat = Path(source.place).stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
        digest.update(repr((source.name, source.settings.model_dump(), stamp)).encode())
    digest.update(repr((FORMAT, len(evaluation))).encode())
    for folder in evaluation:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            digest.update(repr((path.relative_to(folder).as_posix(), len(content))).encode())
            digest.update(content)
    return digest.hexdigest()


def build_store(
    sources: Sequence[tuple[PairSource, Iterable[Pair]]],
    tokenizer: Tokenizer,
    folder: Path,
    key: str,
    dropped: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
) -> PairStore:
    """Write the store of some pairs, each pair once, and return it.

    Args:
        sources: Each source with its pairs; a pair belongs to the first source that has it.
        tokenizer: The tokenizer that gives the ids.
        folder: The folder of the store; an existing one is replaced.
        key: The key that `open_store` compares.
        dropped: Called at the end for the counts of what the reading left out; pairs that repeat
            an earlier one are added to them.
    """
    numbers: dict[str, int] = {}
    pairs: dict[tuple[int, int, int], None] = {}
    rows_of_sources = []
    repeated = []
    for source, rows in track(sources, "read pairs", unit="source"):
        start, n_read = len(pairs), 0
        for n_read, pair in enumerate(rows, start=1):  # noqa: B007 - counted, used below
            query, positive = (numbers.setdefault(text, len(numbers)) for text in pair[:2])
            negative = numbers.setdefault(pair[2], len(numbers)) if pair[2] else -1
            pairs.setdefault((query, positive, negative))
        if n_repeated := start + n_read - len(pairs):
            repeated.append({"source": source.name, "reason": "repeated", "dropped": n_repeated})
        settings = source.settings
        about = (settings.weight, source.origin, source.licence, settings.group)
        rows_of_sources.append(SourceRows(source.name, start, len(pairs), *about))
    summary = {
        "format": FORMAT,
        "key": key,
        "vocab_size": tokenizer.vocab_size,
        "stretches": [asdict(rows) for rows in rows_of_sources],  # the name is that of format 2
        "dropped": [*dropped(), *repeated],
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".store-", dir=folder.parent) as name:
        staging = Path(name) / "store"
        staging.mkdir()
        np.save(staging / "pairs.npy", np.array(list(pairs), dtype=np.int32).reshape(-1, 3))
        _write_tokens(list(numbers), tokenizer, staging)
        (staging / SUMMARY).write_text(json.dumps(summary, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        staging.replace(folder)
    return open_store(folder, key)


def open_store(folder: Path, key: str) -> PairStore:
    """Return the store in a folder, its arrays mapped and not loaded.

    Raises:
        DatasetError: It has another key, or is damaged.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder} is not a store of pairs: {error}") from error
    if summary["key"] != key:
        raise DatasetError(f"{folder} holds other pairs: key {summary['key']}: expected {key}")
    ids, offsets, pairs = arrays
    sources = tuple(SourceRows(**values) for values in summary["stretches"])
    if len(ids) != offsets[-1] or (len(pairs) and pairs.max() >= len(offsets) - 1):
        raise DatasetError(f"{folder}: its arrays do not fit each other")
    return PairStore(
        ids, offsets, pairs, sources, summary["vocab_size"], tuple(summary["dropped"]), folder
    )


def _write_tokens(texts: Sequence[str], tokenizer: Tokenizer, folder: Path) -> None:
    dtype = np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.int32
    ids, lengths = [], []
    remaining = iter(texts)
    blocks = iter(lambda: list(islice(remaining, TEXTS_AT_ONCE)), [])
    with (folder / TEXTS).open("w", encoding="utf-8", newline="\n") as file:
        for block in track(blocks, "tokenise", total=-(-len(texts) // TEXTS_AT_ONCE), unit="block"):
            batch = tokenizer.tokenize(block)
            ids.append(batch.ids.astype(dtype))
            lengths.append(np.diff(batch.offsets))
            file.writelines(json.dumps(text, ensure_ascii=True) + "\n" for text in block)
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    if texts:
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
    np.save(folder / "ids.npy", np.concatenate(ids) if ids else np.empty(0, dtype=dtype))
    np.save(folder / "offsets.npy", offsets)
