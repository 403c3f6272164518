"""The tokens of the stored passages, sentence by sentence, in files that only grow.

Token vectors are static, so ids are all that a second look needs.
"""

import json
import os
import re
import threading
import zlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import BoolVector, FloatVector, IntVector
from konayuki.errors import IndexFormatError
from konayuki.files import (
    checksum_of,
    file_rights,
    folder_rights,
    open_regular,
    read_regular,
    replace_file,
)
from konayuki.model.late import LateTable, Passages
from konayuki.model.tokens import TokenBatch
from konayuki.search.bm25 import idf
from konayuki.search.epochs import EPOCH, LARGEST_EPOCH, free_epoch
from konayuki.search.failures import failure
from konayuki.text import sentence_ends

# A second look reads at most this much of a passage: time grows with the tokens of the candidates.
MAX_TOKENS = 8192
_FORMAT = 1  # of what is stored, and of how sentences are cut
_STATE = "state.json"
_SUFFIXES = ("ids", "rows", "ends", "sentences", "lengths")
_OURS = re.compile(rf"({EPOCH})\.(?:{'|'.join(_SUFFIXES)})|\.state\.[0-9a-f]{{12}}\.partial\.json")
_BLOCK_BYTES = 1 << 24
_BATCH = 256  # passages tokenized at a time: their arrays take 20 times the memory of the text
# Brackets, line breaks and Latin full stops need the rules of `sentence_ends`.
_INTRICATE = re.compile("[「『（(【［[〈《〔｛{“」』）)】］\\]〉》〕｝}”\n.]")
_PLAIN_END = re.compile("[。．！？!?｡]+\\s*")


@runtime_checkable
class TokenEncoder(Protocol):
    """An encoder whose vectors come from rows of tokens; others go without a second look."""

    @property
    def fingerprint(self) -> str:
        """See `Encoder`."""

    @property
    def late(self) -> LateTable:
        """The rows as late interaction reads them."""

    def tokenize(self, texts: Sequence[str], /) -> TokenBatch:
        """Return the token ids of the texts."""


class TokenBlock(NamedTuple):
    """The tokens of some passages.

    Attributes:
        ids: int32 (n_tokens,).
        ends: int64 (n_passages, 2), behind the last token and the last sentence of each.
        sentences: uint32 (n_sentences,), their ends in tokens from the start of their passage.
        lengths: float32 (n_sentences,), of the sum of the rows of each.
    """

    ids: NDArray[np.int32]
    ends: NDArray[np.int64]
    sentences: NDArray[np.uint32]
    lengths: FloatVector

    @property
    def n_passages(self) -> int:
        """Return the number of passages."""
        return len(self.ends)


def token_block(model: TokenEncoder, texts: Sequence[str]) -> TokenBlock:
    """Return the tokens of texts as `Document.searched_text` gives them."""
    parts = [_sentences(text) for text in texts]
    batch = model.tokenize(list(chain.from_iterable(parts)))
    offsets = batch.offsets
    n_sentences = np.cumsum([len(part) for part in parts], dtype=np.int64)
    first = np.concatenate([[0], n_sentences[:-1]]).astype(np.int64)
    starts = offsets[first] if len(texts) else np.empty(0, np.int64)
    owners = np.repeat(np.arange(len(texts)), n_sentences - first)
    ends = np.minimum(offsets[1:] - starts[owners], MAX_TOKENS)  # in tokens from the start
    sizes = np.minimum(offsets[n_sentences] - starts, MAX_TOKENS)
    inside = np.arange(len(batch.ids)) - np.repeat(starts, offsets[n_sentences] - starts)
    ids = batch.ids[inside < MAX_TOKENS]
    bounds = np.concatenate([[0], (np.cumsum(sizes) - sizes)[owners] + ends]).astype(np.int64)
    spans = np.stack([np.cumsum(sizes), n_sentences], axis=1)
    lengths = model.late.sentence_lengths(ids, bounds)
    return TokenBlock(ids, spans.astype(np.int64), ends.astype(np.uint32), lengths)


def _sentences(text: str) -> list[str]:
    """Return the pieces of a text up to the end of each sentence; together they are the text."""
    if _INTRICATE.search(text):
        ends = list(sentence_ends(text)) or [0]
    else:  # a fifth of the time, for most passages
        ends = [match.end() for match in _PLAIN_END.finditer(text)]
        if not ends or ends[-1] < len(text):
            ends.append(len(text))
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@dataclass(frozen=True)
class TokenState:
    """What the files hold: tokens of every row up to `last_row` that was not purged.

    Attributes:
        tokenizer: What the tokens were made with.
        wide: Whether an id takes four bytes instead of two.
        sizes: How many tokens, passages and sentences are valid.
        generation: The generation of the documents that they cover.
        purged: The generation up to which dead rows were left out.
        last_row: The highest row that was taken in.
        index_id: The random number of the index.
        commit: The random number of the commit that made the generation.
        epoch: Number in the names of the files; compaction starts a new one.
        checksums: CRC-32 of the valid bytes of each file.
    """

    tokenizer: str
    wide: bool = False
    sizes: tuple[int, ...] = (0, 0, 0)
    generation: int = 0
    purged: int = 0
    last_row: int = 0
    index_id: int = 0
    commit: int = 0
    epoch: int = 1
    checksums: tuple[int, ...] = (0, 0, 0, 0, 0)

    @property
    def count(self) -> int:
        """Return the number of passages."""
        return self.sizes[1]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Return the type of the entries of each file."""
        return ("<i4" if self.wide else "<u2", "<i8", "<i8", "<u4", "<f4")

    @property
    def n_bytes(self) -> list[int]:
        """Return the valid bytes of each file."""
        n_tokens, n_passages, n_sentences = self.sizes
        sentences = 4 * n_sentences
        return [
            (4 if self.wide else 2) * n_tokens,
            8 * n_passages,
            16 * n_passages,
            sentences,
            sentences,
        ]


class Frequencies:
    """How many passages hold each token, counted when a search first wants it.

    As with sketches, a file of them could be at odds with the tokens. Passages that died count
    until compaction, as in the lexical half.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._files: Hashable = None
        self._counts = np.empty(0, np.int32)
        self._weights = np.empty(0, np.float32)
        self._n_counted = 0

    def idf(
        self, table: LateTable, ids: NDArray[Any], ends: IntVector, files: Hashable
    ) -> FloatVector:
        """Return the weight of each token: float32 (vocab_size,)."""
        with self._guard:
            if files != self._files or self._n_counted > len(ends):
                self._files, self._n_counted = files, 0
                self._counts = np.zeros(table.vocab_size, np.int32)
                self._weights = np.zeros(table.vocab_size, np.float32)
            if self._n_counted < len(ends):
                table.count(ids, ends, self._n_counted, self._counts)
                self._n_counted = len(ends)
                self._weights = idf(self._n_counted, self._counts.astype(np.float64)).astype(
                    np.float32
                )
            return self._weights


@dataclass(frozen=True)
class TokenView:
    """The tokens of one generation; never changes.

    Attributes:
        table: Rows of the model.
        ids: uint16 or int32, tokens of all passages.
        rows: int64 (n_passages,), ascending.
        ends: int64 (n_passages, 2), behind the last token and the last sentence of each.
        sentences: uint32 (n_sentences,).
        lengths: float32 (n_sentences,).
        idf: Gives the weight of each token, float32 (vocab_size,).
    """

    table: LateTable
    ids: NDArray[Any]
    rows: IntVector
    ends: NDArray[np.int64]
    sentences: NDArray[np.uint32]
    lengths: FloatVector
    idf: Callable[[], FloatVector]

    def score(
        self, query_ids: NDArray[np.integer], rows: IntVector
    ) -> tuple[FloatVector, FloatVector, FloatVector]:
        """Return late interaction, best sentence and number of tokens of passages: float32 (n,).

        A row that is not here counts as a passage without tokens.

        Args:
            query_ids: Tokens of the question.
            rows: int64 (n,).
        """
        positions = np.searchsorted(self.rows, rows)
        inside = positions < len(self.rows)
        positions = np.where(inside, positions, 0)
        known = (inside & (self.rows[positions] == rows))[:, np.newaxis] if len(self.rows) else None
        if known is None:
            nothing = np.zeros(len(rows), np.float32)
            return nothing, nothing, nothing
        ends = np.where(known, self.ends[positions], 0)
        starts = np.where(known & (positions > 0)[:, np.newaxis], self.ends[positions - 1], 0)
        passages = Passages(
            self.ids,
            self.sentences,
            self.lengths,
            *(np.ascontiguousarray(part) for part in (starts[:, 0], ends[:, 0])),
            *(np.ascontiguousarray(part) for part in (starts[:, 1], ends[:, 1])),
        )
        late, sentence = self.table.score(self.table.query(query_ids, self.idf()), passages)
        # A cosine, whatever lengths a received index gives its sentences.
        sentence = np.clip(sentence, -1, 1)
        return late, sentence, (ends[:, 0] - starts[:, 0]).astype(np.float32)


class TokenFiles:
    """The files behind the views: `state.json` says how much of the others is valid.

    Nothing is synced to the disk, see `VectorFiles`.
    """

    def __init__(self, folder: Path, model: TokenEncoder) -> None:
        self.folder = folder
        self._model = model
        self.tokenizer = f"{_FORMAT}/{model.fingerprint}"
        self._frequencies = Frequencies()

    def create(self, *, index_id: int = 0, purged: int = 0) -> TokenState:
        """Start with no tokens, for documents whose dead were removed up to `purged`."""
        try:
            self.folder.mkdir(mode=folder_rights(self.folder.parent), exist_ok=True)
            if self.folder.is_symlink():
                raise IndexFormatError(f"{self.folder}: expected a folder, not a link")
            state = TokenState(
                self.tokenizer,
                wide=self._model.late.vocab_size > 1 << 16,
                purged=purged,
                index_id=index_id,
                epoch=self._free_epoch(),
            )
            self._create_files(state)
        except OSError as error:
            raise failure(self.folder, error) from error
        self.commit(state)
        return state

    def state(self) -> TokenState:
        """Return what the files hold.

        Raises:
            IndexFormatError: The state cannot be read, or the tokens are of another model.
        """
        path = self.folder / _STATE
        try:
            if self.folder.is_symlink():
                raise ValueError("in a folder that is a link")
            values = json.loads(read_regular(path))
            for name in ("sizes", "checksums"):
                values[name] = tuple(values[name])
            state = TokenState(**values)
            plain = [getattr(state, field.name) for field in fields(state)]
            numbers = [number for number in plain if isinstance(number, int)]
            numbers += [*state.sizes, *state.checksums]
            if len(plain) + 8 - len(numbers) != 3 or any(
                type(x) not in (int, bool) for x in numbers
            ):
                raise ValueError("expected whole numbers")
            if (
                min(numbers) < 0
                or max(numbers) >= 2**63
                or state.epoch > LARGEST_EPOCH
                or (len(state.sizes), len(state.checksums)) != (3, 5)
            ):
                raise ValueError("numbers out of range")
            if state.tokenizer != self.tokenizer:
                raise ValueError(f"made with {state.tokenizer!r}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise IndexFormatError(f"{path}: {error}: expected the state of the tokens") from error
        return state

    def check(self, state: TokenState) -> None:
        """Compare the files with their checksums.

        Raises:
            IndexFormatError: They differ or are not regular files; the message names the file.
        """
        if self.folder.is_symlink():
            raise IndexFormatError(f"{self.folder}: expected a folder, not a link")
        for path, size, expected in zip(
            self._paths(state), state.n_bytes, state.checksums, strict=True
        ):
            try:
                checksum = checksum_of(path, size)
            except OSError as error:
                raise failure(path, error) from error
            if checksum != expected:
                raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")
        self._check_contents(state)

    def _check_contents(self, state: TokenState) -> None:
        """Refuse tokens that no model of this kind makes: a sender can make checksums hold."""
        ids, rows, ends, sentences, lengths = self.arrays(state)
        sizes = (state.sizes[0], state.sizes[2])
        problem = ""
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self._model.late.vocab_size:
            problem = "an id is not a row of the model"
        elif (ends[:1] < 0).any() or (ends[1:] < ends[:-1]).any():
            problem = "a passage ends before it starts"
        elif tuple(ends[-1].tolist() if len(ends) else (0, 0)) != sizes:
            problem = "the last passage does not end with the tokens"
        elif (rows[1:] <= rows[:-1]).any():
            problem = "the rows do not ascend"
        elif (sentences > MAX_TOKENS).any() or not (lengths >= 0).all():
            problem = "a sentence is longer than a passage, or has no length"
        if problem:
            raise IndexFormatError(f"{self.folder}: {problem}: expected the tokens of the index")

    def append(self, state: TokenState, rows: Sequence[int], texts: Sequence[str]) -> TokenState:
        """Write the tokens of texts behind the valid ones; `commit` makes them valid."""
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            state = self._write_behind(state, rows[part], token_block(self._model, texts[part]))
        return replace(state, last_row=max([state.last_row, *rows[-1:]]))

    def commit(self, state: TokenState) -> None:
        """Make everything up to this state valid."""
        content = json.dumps(asdict(state)).encode()
        try:
            replace_file(self.folder / _STATE, content, file_rights(self.folder), synced=False)
        except OSError as error:
            raise failure(self.folder, error) from error

    def compact(self, state: TokenState, dead: Iterable[int], generation: int) -> TokenState:
        """Write new files without the dead rows; the old ones go when the new are valid."""
        new = replace(state, sizes=(0,) * 3, epoch=self._free_epoch(), checksums=(0,) * 5)
        try:
            self._create_files(new)
        except OSError as error:
            raise failure(self.folder, error) from error
        ids, rows, ends, sentences, lengths = self.arrays(state)
        living = ~np.isin(rows, np.fromiter(dead, dtype=np.int64))
        step = max(1, _BLOCK_BYTES // MAX_TOKENS)
        for start in range(0, state.count, step):
            part = living[start : start + step]
            block = _chosen(ids, ends, sentences, lengths, start, part)
            new = self._write_behind(new, rows[start : start + step][part].tolist(), block)
        new = replace(new, purged=generation)
        self.commit(new)
        self.collect_garbage(new)
        return new

    def collect_garbage(self, state: TokenState) -> None:
        """Remove files of other epochs; foreign files stay."""
        current = {path.name for path in self._paths(state)}
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in current:
                with suppress(OSError):  # mapped by a reader on a system that forbids removal
                    path.unlink()

    def arrays(self, state: TokenState) -> list[NDArray[Any]]:
        """Return the valid ids, rows, ends, sentences and lengths, mapped from disk."""
        arrays = []
        for path, size, dtype in zip(self._paths(state), state.n_bytes, state.dtypes, strict=True):
            count = size // np.dtype(dtype).itemsize
            try:
                with os.fdopen(open_regular(path), "rb") as file:
                    mapped = (
                        np.memmap(file, dtype, "r", shape=(count,)) if count else np.empty(0, dtype)
                    )
            except (OSError, ValueError, OverflowError) as error:
                raise failure(path, error) from error
            arrays.append(np.asarray(mapped))
        arrays[2] = arrays[2].reshape(-1, 2)
        return arrays

    def view(self, state: TokenState, last_row: int) -> TokenView:
        """Return the tokens of the generation that ends with `last_row`."""
        ids, rows, ends, sentences, lengths = self.arrays(state)
        count = int(np.searchsorted(rows, last_row, side="right"))
        rows, ends = rows[:count], ends[:count]
        n_tokens, n_sentences = ends[-1].tolist() if count else (0, 0)
        ids, sentences, lengths = ids[:n_tokens], sentences[:n_sentences], lengths[:n_sentences]
        table = self._model.late
        token_ends = np.ascontiguousarray(ends[:, 0])
        weights = partial(
            self._frequencies.idf, table, ids, token_ends, (state.index_id, state.epoch)
        )
        return TokenView(table, ids, rows, ends, sentences, lengths, weights)

    def _write_behind(
        self, state: TokenState, rows: Sequence[int], block: TokenBlock
    ) -> TokenState:
        shifted = block.ends + np.array([state.sizes[0], state.sizes[2]])
        arrays = (block.ids, rows, shifted, block.sentences, block.lengths)
        parts = [
            np.asarray(array, dtype=dtype).tobytes()
            for array, dtype in zip(arrays, state.dtypes, strict=True)
        ]
        for path, part, offset in zip(self._paths(state), parts, state.n_bytes, strict=True):
            try:
                with os.fdopen(open_regular(path, os.O_RDWR), "r+b") as file:
                    file.seek(offset)
                    file.write(part)
            except OSError as error:
                raise failure(path, error) from error
        added = (len(block.ids), len(block.ends), len(block.sentences))
        sizes = tuple(old + more for old, more in zip(state.sizes, added, strict=True))
        checksums = tuple(
            zlib.crc32(part, old) for part, old in zip(parts, state.checksums, strict=True)
        )
        return replace(state, sizes=sizes, checksums=checksums)

    def _create_files(self, state: TokenState) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        for path in self._paths(state):
            os.close(open_regular(path, flags, file_rights(self.folder)))

    def _paths(self, state: TokenState) -> list[Path]:
        return [self.folder / f"{state.epoch}.{suffix}" for suffix in _SUFFIXES]

    def _free_epoch(self) -> int:
        return free_epoch((path.name for path in self.folder.iterdir()), _OURS)


def _chosen(
    ids: NDArray[Any],
    ends: NDArray[np.int64],
    sentences: NDArray[np.uint32],
    lengths: FloatVector,
    start: int,
    living: BoolVector,
) -> TokenBlock:
    """Return the living ones of the passages from `start` on."""
    bounds = np.concatenate([ends[start - 1 : start] if start else [[0, 0]], ends[start:]])
    bounds = bounds[: len(living) + 1]
    sizes = np.diff(bounds, axis=0)
    first, last = bounds[0], bounds[-1]
    with_tokens, with_sentences = (np.repeat(living, column) for column in sizes.T)
    return TokenBlock(
        ids[first[0] : last[0]][with_tokens].astype(np.int32),
        np.cumsum(sizes[living], axis=0),
        sentences[first[1] : last[1]][with_sentences],
        lengths[first[1] : last[1]][with_sentences],
    )
