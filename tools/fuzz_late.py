"""Random and damaged inputs for late interaction in the kernel; see fuzz.py."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from konayuki.errors import InputError
from konayuki.model.late import COLUMNS, LateKernel, LateTable, PassageTokens, QueryTokens
from konayuki.model.native import Kernel
from konayuki.model.packed import PackedTable
from model import samples

DIMS = (2, 6, 64, 130, 256, 512)
WRONG = (-(2**63), -1, 0, 1, 7, 2**31, 2**63 - 1)


def compare_late(kernels: list[Kernel], draw: np.random.Generator) -> Counter[str]:
    """Score random passages by every instruction set, then damaged ones.

    Returns:
        How many passages were scored, rounds differed, and damaged calls were refused.
    """
    n_rows, dim = int(draw.integers(1, 400)), int(draw.choice(DIMS))
    weights = samples.random_weights(n_rows, dim, int(draw.integers(2**32))).packed()
    packed, table = weights.packed_table(), LateTable(weights)
    assert isinstance(packed, PackedTable)  # noqa: S101 - ours: for the type checker
    passages = random_passages(n_rows, table, draw)
    question = draw.integers(0, n_rows, draw.integers(0, 200))
    query = table.query(question, draw.random(n_rows, np.float32))
    bad_query, bad_passages = damaged(query, passages, draw)
    counts, scores = Counter(late_scored=len(passages.starts)), []
    for compiled in kernels:
        late = LateKernel(compiled, packed.codes, packed.scales, min(dim, COLUMNS))
        scores.append(late.score(query, passages))
        for call in (
            lambda late=late: late.score(bad_query, bad_passages),
            lambda late=late: late.count(
                bad_passages.ids, bad_passages.ends, 0, np.zeros(n_rows, np.int32)
            ),
            lambda late=late: late.sentence_lengths(
                bad_passages.ids.astype(np.int32), bad_passages.starts
            ),
        ):
            try:
                call()
            except InputError:
                counts["late_refused"] += 1
    counts["different_late"] = int(any(not np.array_equal(scores[0], s) for s in scores))
    return counts


def random_passages(n_rows: int, table: LateTable, draw: np.random.Generator) -> PassageTokens:
    """Return up to 60 passages, some of them empty, with up to 4 sentences each."""
    n_passages = int(draw.integers(0, 60))
    sizes = draw.integers(0, 80, n_passages) * (draw.random(n_passages) < 0.9)
    ids = draw.integers(0, n_rows, sizes.sum())
    ends = np.cumsum(sizes, dtype=np.int64)
    starts = ends - sizes
    n_sentences = draw.integers(1, 5, n_passages)
    last = np.cumsum(n_sentences, dtype=np.int64)
    cuts = [
        np.sort(draw.integers(0, size + 1, n)) for size, n in zip(sizes, n_sentences, strict=True)
    ]
    for cut, size in zip(cuts, sizes, strict=True):
        cut[-1] = size
    sentence_ends = np.concatenate([[0], *cuts])[1:].astype(np.uint32)
    bounds = np.concatenate([[0], sentence_ends + np.repeat(starts, n_sentences)])
    lengths = table.sentence_lengths(ids.astype(np.int32), bounds.astype(np.int64))
    dtype = np.uint16 if draw.random() < 0.5 else np.int32
    return PassageTokens(
        ids.astype(dtype), sentence_ends, lengths, starts, ends, last - n_sentences, last
    )


def damaged(
    query: QueryTokens, passages: PassageTokens, draw: np.random.Generator
) -> tuple[QueryTokens, PassageTokens]:
    """Return copies with one to three numbers changed, as a received index could hold them."""
    query = QueryTokens(*(array.copy() for array in query))
    passages = PassageTokens(*(array.copy() for array in passages))
    arrays = [array for array in (*query, *passages) if len(array)]
    for _ in range(draw.integers(1, 4) if arrays else 0):
        array = arrays[draw.integers(len(arrays))]
        place = draw.integers(len(array))
        if array.dtype == np.float32:
            array[place] = draw.choice([np.nan, np.inf, -np.inf, -1, 0, 3e38])
        else:
            array[place] = np.int64(draw.choice(WRONG)).astype(array.dtype)
    return query, passages
