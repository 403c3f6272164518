"""The nearest int8 vectors of a query, in the kernel: all of them looked at, or sketches first."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import InputError
from konayuki.model.native.binding import Floats, Kernel, address_of, default_threads, expect

Codes = NDArray[np.int8]
Rows = NDArray[np.int64]
Sketches = NDArray[np.uint8]

MAX_COLUMNS = 65536  # sums of products fit into 32 bits
CHUNK_COLUMNS, CHUNK_BYTES = 256, 64  # of a sketch


class Scanner:
    """Finds rows of int8 matrices (n_rows, columns), C order, that point where a query points.

    Answers are the same on every processor and for any number of threads: best first, of equal
    scores the smaller row first. The lock of the interpreter is free meanwhile.

    Every method raises `InputError` for arrays of another dtype or shape and numbers out of range.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._module = kernel.module
        self._level = kernel.level_number

    def nearest(
        self,
        matrix: Codes,
        query: Codes,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> tuple[Rows, Floats]:
        """Return the `k` rows with the largest cosine: rows int64 (k,), cosines float32 (k,).

        Fewer if fewer rows exist or are allowed. A zero row or a zero query has cosine 0.

        Args:
            matrix: The rows, int8 (n_rows, columns).
            query: The query, int8 (columns,).
            k: The number of rows to return, at least 1.
            allowed: The rows to consider, bool (n_rows,). Default: all.
            threads: The most threads to use. Default: as many as the process may use.
        """
        _check(matrix, query)
        return self._scan(self._module.scan_int8, matrix, query, k, allowed, threads)

    def score(self, matrix: Codes, query: Codes, rows: Rows) -> tuple[Rows, Floats]:
        """Return the given rows of a matrix, best first, and their cosines float32.

        Args:
            matrix: The rows, int8 (n_rows, columns).
            query: The query, int8 (columns,).
            rows: The places of rows in the matrix, int64.
        """
        _check(matrix, query)
        expect(rows, "rows", np.int64, (None,))
        rows, scores = rows.copy(), np.empty(len(rows), np.float32)
        inputs = (address_of(matrix), *matrix.shape, address_of(query))
        try:
            self._module.score_int8(
                self._level, *inputs, address_of(rows), address_of(scores), len(rows)
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        return rows, scores

    def sketches(self, matrix: Codes) -> Sketches:
        """Return two bits for every entry: uint8 (n_rows, 64 * ceil(columns / 256)).

        A row's sketch depends on that row alone, so sketches can be appended and kept in files.
        """
        _check_matrix(matrix)
        n_rows, columns = matrix.shape
        sketches = np.empty((n_rows, sketch_bytes(columns)), np.uint8)
        self._module.make_sketches(address_of(matrix), n_rows, columns, address_of(sketches))
        return sketches

    def nearest_by_sketch(
        self,
        sketches: Sketches,
        query: Codes,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> Rows:
        """Return the `k` rows that look best by their sketches: candidates for `score`.

        A quarter of the memory that `nearest` reads; for the 10 nearest of 512 columns, 200
        candidates lose nothing that could be measured.

        Args:
            sketches: What `sketches` gave.
            query: The query, int8 (columns,), as for `nearest`.
            k: The number of candidates, at least 1.
            allowed: The rows to consider; see `nearest`.
            threads: The most threads to use; see `nearest`.
        """
        expect(query, "query", np.int8, (None,))
        _check_columns(len(query))
        expect(sketches, "sketches", np.uint8, (None, sketch_bytes(len(query))))
        return self._scan(self._module.scan_sketches, sketches, query, k, allowed, threads)[0]

    def _scan(
        self,
        function: Callable[..., int],
        matrix: Codes | Sketches,
        query: Codes,
        k: int,
        allowed: NDArray[np.bool_] | None,
        threads: int | None,
    ) -> tuple[Rows, Floats]:
        if allowed is not None:
            expect(allowed, "allowed", np.bool_, (len(matrix),))
        if k < 1:
            raise InputError(f"k is {k}: expected at least 1")
        k = min(k, len(matrix))
        rows, scores = np.empty(k, np.int64), np.empty(k, np.float32)
        inputs = (address_of(matrix), len(matrix), len(query), address_of(query))
        mask = 0 if allowed is None else address_of(allowed)
        count = function(
            self._level,
            *inputs,
            mask,
            k,
            address_of(rows),
            address_of(scores),
            threads or default_threads(),
        )
        return rows[:count], scores[:count]


def sketch_bytes(columns: int) -> int:
    """Return the bytes of the sketch of a row."""
    return CHUNK_BYTES * -(-columns // CHUNK_COLUMNS)


def _check(matrix: Codes, query: Codes) -> None:
    _check_matrix(matrix)
    expect(query, "query", np.int8, (matrix.shape[1],))


def _check_matrix(matrix: Codes) -> None:
    expect(matrix, "matrix", np.int8, (None, None))
    _check_columns(matrix.shape[1])


def _check_columns(columns: int) -> None:
    if not 1 <= columns <= MAX_COLUMNS:
        raise InputError(f"{columns} columns: expected 1 to {MAX_COLUMNS}")
