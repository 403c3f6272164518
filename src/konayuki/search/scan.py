"""The nearest neighbours of one query among int8 vectors: the seam for faster kernels."""

import numpy as np
from numpy.typing import NDArray

from konayuki.model.native import Scanner, kernel
from konayuki.model.dtypes import quantize_vectors

Codes = NDArray[np.int8]
_MOST_EXTRA = 2000  # rows that are fetched in vain rather than all others copied
# Candidates by sketch beyond twice the wanted rows: a search for 10 then misses none of 2,000, one
# for 100 misses 0.4 % (200 questions, 100,000 and 1,000,000 vectors).
_MORE_CANDIDATES = 100


def quantize(vectors: NDArray[np.float32]) -> Codes:
    """Return int8 codes of vectors: each row scaled so that its largest value becomes 127.

    The scale of a row is dropped because the cosine does not see it. A zero row stays zero.

    Args:
        vectors: float32 (n, dim).

    Returns:
        int8 (n, dim).
    """
    return quantize_vectors(vectors, "int8")


def nearest(
    codes: Codes,
    query: Codes,
    n_best: int,
    allowed: NDArray[np.bool_] | None = None,
    sketches: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the places and cosines of the `n_best` rows nearest to a query.

    The compiled kernel does it where it was built, usearch elsewhere.

    Args:
        codes: int8 (n, dim).
        query: int8 (dim,).
        n_best: Fewer are returned where fewer are there or allowed.
        allowed: bool (n,); rows that are False are left out.
        sketches: of every row, for the kernel: it then compares only the rows whose sketches look
            best, and may miss one in a thousand. Many wanted rows are found without them, exactly.

    Returns:
        int64 and float32, both (n_found,), nearest first.
    """
    if n_best == 0 or len(codes) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    if compiled := kernel():
        scanner = Scanner(compiled)
        n_candidates = 2 * n_best + _MORE_CANDIDATES
        if sketches is None or 4 * n_candidates > len(codes):
            return scanner.nearest(codes, query, n_best, allowed=allowed)
        found = scanner.nearest_by_sketch(sketches, query, n_candidates, allowed=allowed)
        places, scores = scanner.score(codes, query, found)
        return places[:n_best], scores[:n_best]
    if allowed is None:
        return _with_usearch(codes, query, n_best)
    excluded = len(allowed) - int(np.count_nonzero(allowed))
    if excluded > _MOST_EXTRA:
        inside = np.flatnonzero(allowed)
        places, scores = _with_usearch(codes[inside], query, n_best)
        return inside[places], scores
    places, scores = _with_usearch(codes, query, n_best + excluded)
    kept = allowed[places]
    return places[kept][:n_best], scores[kept][:n_best]


def _with_usearch(
    codes: Codes, query: Codes, n_best: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    from usearch.index import search

    if len(codes) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    found = search(codes, query, min(n_best, len(codes)), metric="cos", exact=True, threads=1)
    return found.keys.astype(np.int64), (1 - found.distances).astype(np.float32)


def cosines(codes: Codes, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of a float query with a few int8 rows.

    Args:
        codes: int8 (n, dim).
        query: float32 (dim,).

    Returns:
        float32 (n,); a zero row or a zero query gives 0.
    """
    rows = codes.astype(np.float32)
    # einsum, not BLAS: a row's product must not depend on the rows beside it, or ties would break.
    products = np.einsum("nd,d->n", rows, query)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows)) * np.sqrt(np.einsum("d,d->", query, query))
    result: NDArray[np.float32] = np.divide(
        products, lengths, out=np.zeros_like(products), where=lengths > 0
    )
    return result
