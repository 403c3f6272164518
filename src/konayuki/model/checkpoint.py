"""The two layouts of a model folder, byte for byte; others' folders are read as "float"."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as to_safetensors

from konayuki.errors import CheckpointError, DimensionError, InputError, NotFoundError
from konayuki.model.foreign import OLD_FOLDER, is_foreign, read_foreign
from konayuki.model.model_files import LARGEST_WEIGHTS, check_model_file
from konayuki.model.packed import FloatTable, PackedTable
from konayuki.model.tensors import read_tensors, tensor_names
from konayuki.model.weights import Pooling, Weights

EMBEDDING = "embedding.weight"
TANH = ("dyt.alpha", "dyt.beta", "dyt.bias")
POOLING = "pooling"  # float32 (2,), our addition; left out for the plain mean
PACKED_FILE = "embedding.q4_k_m.bin"
REST_FILE = "model_rest.safetensors"
FLOAT_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
SCALE_BYTES = 4


@dataclass(frozen=True)
class Layout:
    """One way to lay a model out in files.

    Attributes:
        name: What callers ask for.
        bits: The bits of a value in the table.
        weight_files: The files that hold the weights; the first one is the mark of the layout.
        read: Folder to weights.
        write: Weights to the content of the weight files.
        module: The sentence-transformers module, as modules.json names it.
        module_files: The source files that travel with it.
    """

    name: str
    bits: int
    weight_files: tuple[str, ...]
    read: Callable[[Path], Weights]
    write: Callable[[Weights], dict[str, bytes]]
    module: str
    module_files: tuple[str, ...]


def layout_named(name: str) -> Layout:
    """Return the layout of that name.

    Raises:
        InputError: There is none.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    known = ", ".join(repr(layout.name) for layout in LAYOUTS)
    raise InputError(f"layout is {name!r}: expected one of {known}")


def layout_of(folder: Path) -> Layout:
    """Return the layout of a model folder.

    Raises:
        NotFoundError: The folder holds no weights of a known layout.
    """
    for layout in LAYOUTS:
        if _is_of(layout, folder):
            return layout
    known = " or ".join(layout.weight_files[0] for layout in LAYOUTS)
    nested = [layout.name for layout in LAYOUTS if _is_of(layout, folder / layout.name)]
    inside = [folder / name for name in nested]
    hint = f"\nhint: {' or '.join(map(str, inside))}" if inside else ""  # of a training run
    raise NotFoundError(f"no model in {folder}: expected a file {known}{hint}")


def _is_of(layout: Layout, folder: Path) -> bool:
    return (folder / layout.weight_files[0]).is_file()


def model_folder(folder: Path) -> Path:
    """Return the folder that holds the files of a model: it, or one inside it."""
    nested = folder / OLD_FOLDER
    marks = (layout.weight_files[0] for layout in LAYOUTS)
    return nested if nested.is_dir() and not any((folder / m).is_file() for m in marks) else folder


def _read_float(folder: Path) -> Weights:
    path = folder / FLOAT_FILE
    if is_foreign(tensor_names(path)):
        return read_foreign(path, folder / TOKENIZER_FILE)
    tensors = read_tensors(path, (EMBEDDING, *TANH))
    table = tensors[EMBEDDING]
    if table.ndim != 2 or not table.size:
        raise CheckpointError(
            f"{path}: {EMBEDDING} has shape {table.shape}: expected (vocab_size, dim)"
        )
    vectors = _tanh_vectors(tensors, table.shape[1], path)
    return Weights(FloatTable(table), *vectors, _read_pooling(path))


def _write_float(weights: Weights) -> dict[str, bytes]:
    values = weights.float_table().values
    return {FLOAT_FILE: to_safetensors({EMBEDDING: values, **_small_tensors(weights)})}


def _read_packed(folder: Path) -> Weights:
    rest_path, path = folder / REST_FILE, folder / PACKED_FILE
    tensors = read_tensors(rest_path, TANH)
    dim = tensors[TANH[0]].size
    vectors = _tanh_vectors(tensors, dim, rest_path)
    if dim == 0 or dim % 2:
        raise CheckpointError(f"{rest_path}: {dim} columns: expected an even number above zero")
    row_bytes = dim // 2 + SCALE_BYTES
    check_model_file(path, LARGEST_WEIGHTS)
    try:
        size = path.stat().st_size
        if size == 0 or size % row_bytes:
            raise CheckpointError(
                f"{path}: {size} bytes: expected a multiple of {row_bytes} ({dim} columns)"
            )
        content = np.memmap(path, dtype=np.uint8, mode="r")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    vocab_size = size // row_bytes
    codes = np.asarray(content[: vocab_size * dim // 2]).reshape(vocab_size, dim // 2)
    scales = content[vocab_size * dim // 2 :].view("<f4").astype(np.float32)
    if not np.isfinite(scales).all():
        raise CheckpointError(f"{path}: a row scale is not finite")
    return Weights(PackedTable(codes, scales), *vectors, _read_pooling(rest_path))


def _write_packed(weights: Weights) -> dict[str, bytes]:
    if weights.dim % 2:
        raise DimensionError(f"{weights.dim} dimensions: expected an even number for 4-bit rows")
    table = weights.packed_table()
    content = table.codes.tobytes() + table.scales.astype("<f4").tobytes()
    return {PACKED_FILE: content, REST_FILE: to_safetensors(_small_tensors(weights))}


def _small_tensors(weights: Weights) -> dict[str, NDArray[np.float32]]:
    tensors = dict(zip(TANH, (weights.alpha, weights.beta, weights.bias), strict=True))
    if not weights.pooling.is_plain:
        tensors[POOLING] = weights.pooling.to_array()
    return tensors


def _read_pooling(path: Path) -> Pooling:
    """Return how rows are weighted: the tensor `pooling`, or the plain mean without one."""
    if POOLING not in tensor_names(path):
        return Pooling()
    values = read_tensors(path, [POOLING])[POOLING]
    if values.shape != (2,) or not 0 <= values[0] <= 1 or values[1] < 0:
        raise CheckpointError(
            f"{path}: {POOLING} is {values.tolist()}: expected a power from 0 to 1 and a position, "
            "0 for none"
        )
    return Pooling.from_array(values)


def _tanh_vectors(
    tensors: dict[str, NDArray[np.float32]], dim: int, path: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    for name in TANH:
        if tensors[name].shape != (dim,):
            raise CheckpointError(
                f"{path}: {name} has shape {tensors[name].shape}: expected ({dim},)"
            )
    alpha, beta, bias = (tensors[name] for name in TANH)
    return alpha, beta, bias


LAYOUTS = (
    Layout(
        name="q4",
        bits=4,
        weight_files=(PACKED_FILE, REST_FILE),
        read=_read_packed,
        write=_write_packed,
        module="SSE_quantize.SSEQ",
        module_files=("SSE_quantize.py", "SSE.py"),
    ),
    Layout(
        name="float",
        bits=32,
        weight_files=(FLOAT_FILE,),
        read=_read_float,
        write=_write_float,
        module="SSE.SSE",
        module_files=("SSE.py",),
    ),
)
