"""Access to the compiled module: what it can do here, and checks of everything handed to it."""

import math
import os
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import DimensionError, InputError

if TYPE_CHECKING:
    from konayuki.model.native._kernel import TableHandle

Floats = NDArray[np.float32]

ENVIRONMENT_VARIABLE = "KONAYUKI_KERNEL"
THREADS_VARIABLE = "KONAYUKI_THREADS"
PLAIN = (1.0, math.inf)  # every token counts the same


def default_threads() -> int:
    """Return the processors that this process may use, or what KONAYUKI_THREADS says."""
    wanted = os.environ.get(THREADS_VARIABLE, "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else available_processors()


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Kernel:
    """The compiled loops at one instruction set.

    Attributes:
        module: The extension module; see _kernel.pyi for its functions.
        level: The name of the instruction set, one of `module.levels()`.
    """

    module: ModuleType
    level: str

    @property
    def level_number(self) -> int:
        """Return the place of the level in `module.levels()`, by which the module knows it."""
        number: int = self.module.levels().index(self.level)
        return number

    def packed_table(
        self,
        codes: NDArray[np.uint8],
        scales: Floats,
        alpha: Floats,
        beta: Floats,
        bias: Floats,
        pooling: tuple[float, float] = PLAIN,
    ) -> "Table":
        """Return a table of packed 4-bit rows, ready to pool; nothing but the tanh is copied.

        Args:
            codes: The levels, uint8 (vocab_size, columns / 2), high nibble = even column.
            scales: The scales, float32 (vocab_size,); a value is (q / 7.5 - 1) * scale.
            alpha: The slopes, float32 (width,), like `beta` and `bias`: y = beta * tanh(alpha * x +
                bias). Width may be less than columns; the rest of a row is then ignored.
            beta: The amplitudes; see `alpha`.
            bias: The offsets; see `alpha`.
            pooling: The power and the half position of `konayuki.model.weights.Pooling`.
                Default: the plain mean.

        Raises:
            InputError: An array of another dtype or shape, or not in C order.
        """
        expect(codes, "codes", np.uint8, (None, None))
        expect(scales, "scales", np.float32, (len(codes),))
        addresses = (address_of(codes), address_of(scales), 0)
        tanh = (alpha, beta, bias)
        return self._table((codes, scales), addresses, 2 * codes.shape[1], tanh, pooling)

    def float_table(
        self,
        rows: Floats,
        alpha: Floats,
        beta: Floats,
        bias: Floats,
        pooling: tuple[float, float] = PLAIN,
    ) -> "Table":
        """Return a table of float32 rows (vocab_size, columns), ready to pool; see `packed_table`.

        Raises:
            InputError: An array of another dtype or shape, or not in C order.
        """
        expect(rows, "rows", np.float32, (None, None))
        addresses = (0, 0, address_of(rows))
        return self._table((rows,), addresses, rows.shape[1], (alpha, beta, bias), pooling)

    def _table(
        self,
        held: tuple[NDArray[Any], ...],
        addresses: tuple[int, int, int],
        columns: int,
        tanh: tuple[Floats, Floats, Floats],
        pooling: tuple[float, float],
    ) -> "Table":
        width = len(tanh[0])
        if not 1 <= width <= columns:
            raise InputError(f"alpha has {width} entries: expected 1 to {columns}")
        for name, vector in zip(("alpha", "beta", "bias"), tanh, strict=True):
            expect(vector, name, np.float32, (width,))
        copied = [np.pad(vector, (0, columns - width)) for vector in tanh]
        copied.append(np.array(pooling, np.float32))
        handle = self.module.bind_table(
            self.level_number, len(held[0]), columns, *addresses, *map(address_of, copied)
        )
        return Table(self.module, handle, held, width)


class Table:
    """A table that the kernel pools; made by `Kernel.packed_table` and `Kernel.float_table`."""

    def __init__(
        self, module: ModuleType, handle: "TableHandle", held: tuple[NDArray[Any], ...], width: int
    ) -> None:
        self._module = module
        self.handle = handle
        self._held = held  # the kernel reads these arrays: they live as long as the handle
        self.width = width

    def pool(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        dim: int,
        *,
        normalize: bool,
        threads: int | None = None,
        out: Floats | None = None,
    ) -> Floats:
        """Return one vector per text: float32 (n_texts, dim).

        A vector is the mean of the text's rows, weighted as the table says, after the tanh, its
        first `dim` columns, of length 1 if `normalize` is true. A text without tokens gives the
        zero vector either way. The lock of the interpreter is free meanwhile; small batches stay on
        the calling thread.

        Args:
            ids: The rows of the table, int32 (n_tokens,).
            offsets: The bounds, int64 (n_texts + 1,); text i owns ids[offsets[i]:offsets[i + 1]].
            dim: The number of columns, 1 to `width`.
            normalize: Whether vectors get length 1; a zero vector stays zero.
            threads: The most threads to use. Default: as many as the process may use.
            out: The array to write to and return, float32 (n_texts, dim) in C order.

        Raises:
            DimensionError: `dim` is not within 1 to `width`.
            InputError: An array of another dtype or shape, an id that is not a row of the table, or
                offsets that do not ascend within `ids`.
        """
        if not 1 <= dim <= self.width:
            raise DimensionError(f"dim is {dim}: expected 1 to {self.width}")
        expect(ids, "ids", np.int32, (None,))
        expect(offsets, "offsets", np.int64, (None,))
        if not len(offsets):
            raise InputError("offsets is empty: expected one more entry than texts")
        out = result_array(out, (len(offsets) - 1, dim))
        try:
            self._module.pool_ids(
                self.handle,
                address_of(ids),
                len(ids),
                address_of(offsets),
                len(out),
                address_of(out),
                dim,
                normalize,
                default_threads() if threads is None else threads,
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        return out


def kernel() -> Kernel | None:
    """Return the kernel at the level that KONAYUKI_KERNEL names or the best one; None without one.

    Raises:
        InputError: KONAYUKI_KERNEL names a level that this machine does not have.
    """
    wanted = os.environ.get(ENVIRONMENT_VARIABLE, "")
    module = None if wanted == "numpy" else _module()
    if module is None:
        return None
    levels: tuple[str, ...] = module.levels()
    if wanted and wanted not in levels:
        raise InputError(
            f"{ENVIRONMENT_VARIABLE} is {wanted!r}: expected numpy, {', '.join(levels)}\n"
            "hint: leave it unset to use the fastest"
        )
    return Kernel(module, wanted or levels[0])


def describe() -> str:
    """Return which kernel runs here, as `konayuki info` prints it: "avx512, 2 threads"."""
    compiled = kernel()
    if compiled is not None:
        count = default_threads()
        return f"{compiled.level}, {count} thread{'' if count == 1 else 's'}"
    return "numpy: not compiled" if _module() is None else f"numpy: {ENVIRONMENT_VARIABLE}=numpy"


@cache
def _module() -> ModuleType | None:
    try:
        return import_module("konayuki.model.native._kernel")
    except ImportError:  # not built, or built for another machine: NumPy does the same work
        return None


def address_of(array: NDArray[Any]) -> int:
    """Return the address of the data of an array."""
    address: int = array.__array_interface__["data"][0]  # a third of the cost of `array.ctypes`
    return address


def result_array(out: Floats | None, shape: tuple[int, int]) -> Floats:
    """Return `out` after a check of it, or a new array if it is None."""
    if out is None:
        return np.empty(shape, np.float32)
    expect(out, "out", np.float32, shape)
    if not out.flags.writeable:
        raise InputError("out is read-only: expected an array to write to")
    return out


def expect(
    array: NDArray[Any], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> None:
    """Raise unless an array has this dtype, C order and shape; None stands for any size.

    Raises:
        InputError: The message says what it is instead.
    """
    have = array.shape
    fits = have == shape or (
        len(have) == len(shape)
        and all(want is None or size == want for size, want in zip(have, shape, strict=True))
    )
    if fits and array.dtype == dtype and array.flags.c_contiguous:
        return
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    raise InputError(
        f"{name} is {array.dtype} {array.shape}"
        f"{'' if array.flags.c_contiguous else ', not contiguous'}: "
        f"expected contiguous {dtype.__name__} ({wanted})"
    )
