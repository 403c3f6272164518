"""Tensors of safetensors files, checked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from konayuki.errors import CheckpointError
from konayuki.model.model_files import LARGEST_WEIGHTS, check_model_file

T = TypeVar("T")
FLOAT_DTYPES = ("F32", "F16", "F64")
_NAMES_SHOWN = 6  # a transformer has hundreds


class TensorFile(Protocol):
    """What we use of an opened safetensors file; the package has no types."""

    def keys(self) -> list[str]:
        """Return the names of the tensors."""

    def get_slice(self, name: str) -> Any:  # noqa: ANN401 - a type of the package, likewise
        """Return a view that knows the dtype of a tensor."""

    def get_tensor(self, name: str) -> NDArray[Any]:
        """Return a tensor."""


def tensor_names(path: Path) -> list[str]:
    """Return the names of the tensors of a file.

    Raises:
        CheckpointError: It is missing or not a safetensors file.
    """
    return _opened(path, lambda file: sorted(file.keys()))


def read_tensors(
    path: Path, names: Sequence[str], dtypes: Sequence[str] = FLOAT_DTYPES
) -> dict[str, NDArray[np.float32]]:
    """Return tensors of a file as finite float32.

    Raises:
        CheckpointError: The file or a tensor is missing, is of another dtype or not finite.
    """
    return _opened(path, lambda file: {name: _floats(file, name, path, dtypes) for name in names})


def read_integers(path: Path, name: str) -> NDArray[np.int64]:
    """Return a tensor of integers.

    Raises:
        CheckpointError: The file or the tensor is missing or of another dtype.
    """
    return _opened(path, lambda file: _tensor(file, name, path, ("I64", "I32")).astype(np.int64))


def _opened(path: Path, read: Callable[["TensorFile"], T]) -> T:
    check_model_file(path, LARGEST_WEIGHTS)
    try:
        with safe_open(path, framework="numpy") as file:
            return read(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error})") from None


def _tensor(file: TensorFile, name: str, path: Path, dtypes: Sequence[str]) -> NDArray[Any]:
    names = list(file.keys())
    if name not in names:
        shown = ", ".join((*names[:_NAMES_SHOWN], *["..."][: len(names) > _NAMES_SHOWN]))
        raise CheckpointError(
            f"{path}: no tensor {name!r}: it holds {shown}\n"
            "hint: folders of konayuki, of sentence-transformers' StaticEmbedding and of model2vec "
            "can be read"
        )
    dtype = file.get_slice(name).get_dtype()
    if dtype not in dtypes:
        raise CheckpointError(f"{path}: {name} is {dtype}: expected {' or '.join(dtypes)}")
    return file.get_tensor(name)


def _floats(file: TensorFile, name: str, path: Path, dtypes: Sequence[str]) -> NDArray[np.float32]:
    tensor = np.ascontiguousarray(_tensor(file, name, path, dtypes), dtype=np.float32)
    if not np.isfinite(tensor).all():
        raise CheckpointError(f"{path}: {name} holds a value that is not finite")
    return tensor
