"""`StaticModel`: load, encode and save a static embedding model."""

import hashlib
from collections.abc import Iterable, Sequence, Sized
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.choices import Dtype
from konayuki.errors import CheckpointError, DimensionError, InputError
from konayuki.model import hub
from konayuki.model.checkpoint import (
    LAYOUTS,
    TOKENIZER_FILE,
    layout_named,
    layout_of,
    model_folder,
)
from konayuki.model.dtypes import EncodeOptions, checked_ranges
from konayuki.model.folder import write_folder
from konayuki.model.late import LateTable
from konayuki.model.model_files import LARGEST_TOKENIZER, read_model_file
from konayuki.model.pooling import Pooler, texts_to_vectors
from konayuki.model.texts import batches_of, check_iterable, check_not_empty, lone_surrogate
from konayuki.model.tokenizer import build_tokenizer
from konayuki.model.tokens import TokenBatch
from konayuki.model.weights import Difference, Weights, largest_difference
from konayuki.progress import track

BUNDLED = Path(__file__).parent / "bundled"
FINGERPRINT_BYTES = 16


class StaticModel:
    """A static embedding model: one row per token, their weighted mean, a tanh per column.

    Instances are immutable, can be shared by threads and pickled.

    Args:
        weights: The numbers.
        tokenizer_json: The bytes of the `tokenizer.json` that belongs to them.
        source: The folder that they came from, for messages and the files next to the model.

    Raises:
        CheckpointError: The tokenizer is damaged or knows more tokens than the table has rows.

    Examples:
        >>> model = StaticModel.load()
        >>> model.dim, model.vocab_size, model.bits
        (512, 32768, 4)
        >>> model.nbytes < 10_000_000  # 4-bit rows stay packed in memory
        True
    """

    def __init__(
        self, weights: Weights, tokenizer_json: bytes, source: str | PathLike[str] = ""
    ) -> None:
        self._weights = weights
        self._dim = weights.dim
        self._tokenizer_json = tokenizer_json
        self._source = Path(source)
        path = self._source / TOKENIZER_FILE
        self._tokenizer = build_tokenizer(tokenizer_json, path)
        if self._tokenizer.vocab_size > weights.vocab_size:
            raise CheckpointError(
                f"{path}: {self._tokenizer.vocab_size} tokens, but the table has "
                f"{weights.vocab_size} rows"
            )
        self._encode = texts_to_vectors(self._tokenizer, Pooler(weights))

    @classmethod
    def load(
        cls,
        folder_or_hub_id: str | PathLike[str] | None = None,
        *,
        dim: int | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> "StaticModel":
        """Return the model of a folder or a hub id.

        Args:
            folder_or_hub_id: A folder in one of the two layouts, of sentence-transformers'
                StaticEmbedding or of model2vec, or `owner/name`, or `owner/name@revision`. Only
                such an id, as a string, is looked up on the hub. Default: the bundled model.
            dim: The number of outputs to keep, the first ones. Default: all.
            revision: The branch, tag or commit of a hub model.
            token: The access token of the hub, or whether to use the stored one.

        Raises:
            NotFoundError: There is no such folder or hub model.
            CheckpointError: A file of the folder is damaged; the message names it.
            DimensionError: The model has fewer than `dim` outputs.
            MissingExtraError: The model needs a package that is not installed.

        Examples:
            >>> StaticModel.load().dim
            512
            >>> StaticModel.load(dim=128).encode("粉雪").shape
            (128,)
        """
        folder = BUNDLED
        if folder_or_hub_id is not None:
            folder = hub.find_folder(folder_or_hub_id, revision=revision, token=token)
        folder = model_folder(folder)
        weights = layout_of(folder).read(folder)
        if dim is not None:
            weights = weights.crop(_checked_dim(dim, weights.dim))
        return cls(weights, read_model_file(folder / TOKENIZER_FILE, LARGEST_TOKENIZER), folder)

    @property
    def dim(self) -> int:
        """Return the number of outputs."""
        return self._dim

    @property
    def vocab_size(self) -> int:
        """Return the number of rows of the table."""
        return self._weights.vocab_size

    @property
    def nbytes(self) -> int:
        """Return the bytes of weights held in memory."""
        return self._weights.nbytes

    @property
    def weights(self) -> Weights:
        """Return the numbers, for code that trains or measures; do not change them."""
        return self._weights

    @property
    def tokenizer_json(self) -> bytes:
        """Return the bytes of the `tokenizer.json`."""
        return self._tokenizer_json

    @property
    def source(self) -> Path | None:
        """Return the folder that the model was loaded from, None if it was made in memory."""
        return None if self._source == Path() else self._source

    @property
    def bits(self) -> int:
        """Return the bits of a value in the table: 4 or 32."""
        return self._weights.table.bits

    @property
    def layout(self) -> str:
        """Return the layout that keeps the rows as they are: "q4" or "float"."""
        return next(layout.name for layout in LAYOUTS if layout.bits == self.bits)

    @property
    def tokenizer_backend(self) -> str:
        """Return what tokenises: "kernel", "python" or the library "tokenizers"."""
        return self._tokenizer.backend

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of weights and tokenizer: equal fingerprints give equal vectors."""
        digest = hashlib.blake2b(self._tokenizer_json, digest_size=FINGERPRINT_BYTES)
        weights = self._weights
        for array in (*weights.table.arrays, weights.alpha, weights.beta, weights.bias):
            digest.update(str((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
        if not weights.pooling.is_plain:
            digest.update(str(weights.pooling).encode())
        return digest.hexdigest()

    @cached_property
    def late(self) -> LateTable:
        """Return the rows as late interaction reads them, see `konayuki.model.late`."""
        return LateTable(self._weights)

    @overload
    def encode(
        self,
        texts: str | Iterable[str],
        dim: int | None = None,
        normalize: bool = True,
        show_progress: bool = False,
        *,
        strict: bool = False,
        batch_size: int = 1024,
        dtype: Literal["float32"] = "float32",
    ) -> FloatMatrix: ...

    @overload
    def encode(
        self,
        texts: str | Iterable[str],
        dim: int | None = None,
        normalize: bool = True,
        show_progress: bool = False,
        *,
        strict: bool = False,
        batch_size: int = 1024,
        dtype: Dtype = "float32",
        ranges: FloatMatrix | None = None,
    ) -> NDArray[Any]: ...

    def encode(
        self,
        texts: str | Iterable[str],
        dim: int | None = None,
        normalize: bool = True,
        show_progress: bool = False,
        *,
        strict: bool = False,
        batch_size: int = 1024,
        dtype: Dtype = "float32",
        ranges: FloatMatrix | None = None,
    ) -> NDArray[Any]:
        """Return one vector per text: float32, C order, (n_texts, dim); one text gives (dim,).

        Generators are read as they come; besides the result, memory holds one batch. A text
        without tokens gives the zero vector.

        Args:
            texts: One text, or any iterable of texts.
            dim: The number of outputs to keep, the first ones. Default: all.
            normalize: Whether to scale each vector to length one.
            show_progress: Whether to draw a bar on stderr, if that is a terminal.
            strict: Whether to refuse texts that are empty or white space.
            batch_size: The number of texts per batch.
            dtype: "float32", "float16", "int8", "uint8", "binary" or "ubinary"; see
                `konayuki.model.quantize_vectors` for what each means.
            ranges: The float32 (2, dim) from `konayuki.model.calibrate`, for int8 and uint8.

        Raises:
            InputError: An item is not a string or holds a lone surrogate; the message says which.
                Or the dtype is unknown, or the ranges do not go with it.
            EmptyTextError: `strict` is set and a text is empty.
            DimensionError: The model has fewer than `dim` outputs.

        Examples:
            >>> vectors = model.encode(["粉雪が舞う", "雪が降る"])
            >>> vectors.shape, vectors.dtype
            ((2, 512), dtype('float32'))
            >>> model.encode("粉雪", dim=128).shape
            (128,)
            >>> model.encode(["粉雪"], dtype="ubinary").nbytes
            64
        """
        dim = self._dim if dim is None else _checked_dim(dim, self._dim)
        if dtype != "float32" or ranges is not None:
            ranges = checked_ranges(ranges, dtype, dim)
        options = EncodeOptions(dim, normalize, strict, dtype, ranges)
        if isinstance(texts, str):
            vector: NDArray[Any] = self._vectors([texts], 0, options)[0]
            return vector
        blocks = []
        start = 0
        check_iterable(texts)
        # One array for all if their number is certain: blocks would have to be copied together.
        whole = options.empty(len(texts)) if isinstance(texts, list) else None
        if show_progress:
            total = len(texts) if isinstance(texts, Sized) else None
            texts = track(texts, "encode", total=total, unit="text")
        for batch in batches_of(texts, batch_size):
            out = None if whole is None else whole[start : start + len(batch)]
            blocks.append(self._vectors(batch, start, options, out))
            start += len(batch)
        if whole is not None:
            return whole
        return np.concatenate(blocks) if blocks else options.empty(0)

    def tokenize(self, texts: Sequence[str]) -> TokenBatch:
        """Return the token ids of the texts: ids int32 (n_tokens,), offsets int64 (n_texts + 1,).

        Raises:
            InputError: An item is not a string or holds a lone surrogate.

        Examples:
            >>> batch = model.tokenize(["粉雪が舞う", "雪"])
            >>> batch.offsets.tolist()
            [0, 5, 6]
            >>> len(batch.ids[batch.offsets[0] : batch.offsets[1]])  # tokens of the first text
            5
        """
        try:
            return self._tokenizer.tokenize(texts)
        except (UnicodeEncodeError, TypeError) as error:
            raise lone_surrogate(texts, 0) or error from None

    def similarity(
        self, a: str | Sequence[str] | FloatMatrix, b: str | Sequence[str] | FloatMatrix
    ) -> FloatMatrix:
        """Return the cosine of each pair: float32 (len(a), len(b)); zero vectors give 0.

        Args:
            a: Vectors (n, dim), one vector (dim,), texts or one text.
            b: The same, with the same number of columns.

        Raises:
            InputError: The shapes do not fit together.

        Examples:
            >>> answers = ["富士山は日本一高い山である。", "味噌汁は汁物である。"]
            >>> cosines = model.similarity("国内最高峰はどこ？", answers)
            >>> cosines.shape, bool(cosines[0, 0] > cosines[0, 1])
            ((1, 2), True)
        """
        left, right = self._unit_vectors(a), self._unit_vectors(b)
        if left.shape[1] != right.shape[1]:
            raise DimensionError(
                f"cannot compare vectors of {left.shape[1]} and {right.shape[1]} dimensions"
            )
        return left @ right.T

    def save(
        self, folder: str | PathLike[str], layout: str = "q4", *, nearest: bool = False
    ) -> None:
        """Write a folder that `load` and sentence-transformers read.

        Args:
            folder: The folder, created if missing; existing files of the same names are replaced.
            layout: "float" (float32 rows) or "q4" (4-bit rows).
            nearest: Whether to give each 4-bit row the scale with the smallest squared error.
                Default: the row's largest value, as in the original SSE format.

        Raises:
            InputError: An unknown layout, or `folder` is a file.
            DimensionError: 4-bit rows of an odd number of dimensions.

        Examples:
            >>> model.save("exported", layout="float")
            >>> StaticModel.load("exported").bits
            32
        """
        chosen = layout_named(layout)
        weights = self._weights
        if nearest and chosen.bits == 4:
            weights = weights.packed(nearest=True)
        write_folder(Path(folder), weights, self._tokenizer_json, chosen)

    def with_weights(self, weights: Weights) -> "StaticModel":
        """Return a model in memory with other weights and the same tokenizer.

        Examples:
            >>> small = model.with_weights(model.weights.crop(256))
            >>> small.dim, small.vocab_size
            (256, 32768)
        """
        return StaticModel(weights, self._tokenizer_json)

    def largest_difference(self, other: "StaticModel") -> Difference:
        """Return how far the rows are from those of a model with the same tokens.

        Raises:
            DimensionError: The tables have different shapes.

        Examples:
            >>> model.save("exported", layout="q4")
            >>> model.largest_difference(StaticModel.load("exported"))
            Difference(absolute=0.0, relative=0.0)
        """
        return largest_difference(self._weights, other._weights)

    def _vectors(
        self,
        texts: Sequence[str],
        start: int,
        options: EncodeOptions,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return the vectors of a batch; `start` is the number of its first text, for messages."""
        if options.strict:
            check_not_empty(texts, start)
        floats = out if options.dtype == "float32" else None
        try:
            vectors: NDArray[Any] = self._encode(
                texts, dim=options.dim, normalize=options.normalize, out=floats
            )
        except (UnicodeEncodeError, TypeError) as error:
            raise lone_surrogate(texts, start) or error from None
        if options.dtype == "float32":
            return vectors
        codes = options.stored(vectors)
        if out is None:
            return codes
        out[:] = codes
        return out

    def _unit_vectors(self, values: str | Sequence[str] | FloatMatrix) -> FloatMatrix:
        if isinstance(values, str) or (
            not isinstance(values, np.ndarray) and (not len(values) or isinstance(values[0], str))
        ):
            return np.atleast_2d(self.encode(values))
        vectors = np.atleast_2d(np.asarray(values, dtype=np.float32))
        if vectors.ndim != 2:
            raise InputError(f"vectors have shape {vectors.shape}: expected (n, dim) or (dim,)")
        return unit_rows(vectors)

    def __copy__(self) -> "StaticModel":
        return self  # it cannot change, so a copy would be the same

    def __deepcopy__(self, memo: dict[int, Any]) -> "StaticModel":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._weights, self._tokenizer_json, str(self._source))

    def __repr__(self) -> str:
        return f"StaticModel({self.vocab_size} x {self.dim}, {self.layout}, {self._source})"


def _checked_dim(dim: int, available: int) -> int:
    whole = isinstance(dim, (int, np.integer)) and not isinstance(dim, bool)
    if not whole or not 1 <= dim <= available:
        raise DimensionError(f"cannot cut to {dim!r} dimensions: the model has {available}")
    return dim
