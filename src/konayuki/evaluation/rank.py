"""From vectors to rankings, with a fixed order among equal scores: (-score, id)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from konayuki.arrays import FloatMatrix, top_k
from konayuki.evaluation.metrics import DEPTH

BLOCK_BYTES = 64 << 20  # scores held at a time


class Scored(NamedTuple):
    """A document in a ranking."""

    doc_id: str
    score: float


Run = Mapping[str, Sequence[Scored]]


def rankings(run: Run) -> dict[str, list[str]]:
    """Return the document ids of a run, best first, by query.

    Examples:
        >>> from konayuki.evaluation import rank_vectors
        >>> vectors = model.encode(["富士山", "味噌汁"])
        >>> rankings(rank_vectors(["q"], vectors[:1], ["d1", "d2"], vectors))
        {'q': ['d1', 'd2']}
    """
    return {query_id: [hit.doc_id for hit in hits] for query_id, hits in run.items()}


def rank_vectors(
    query_ids: Sequence[str],
    query_vectors: FloatMatrix,
    doc_ids: Sequence[str],
    doc_vectors: FloatMatrix,
    *,
    depth: int = DEPTH,
) -> dict[str, list[Scored]]:
    """Return the `depth` best documents of each query by dot product.

    Args:
        query_ids: One id per row of `query_vectors`.
        query_vectors: float32 (n_queries, dim).
        doc_ids: One id per row of `doc_vectors`.
        doc_vectors: float32 (n_docs, dim).
        depth: Number of documents to keep, fewer if there are fewer.

    Examples:
        >>> documents = model.encode(["富士山は高い。", "味噌汁は汁物だ。"])
        >>> run = rank_vectors(["q"], model.encode(["最高峰の山"]), ["d1", "d2"], documents)
        >>> [scored.doc_id for scored in run["q"]]
        ['d1', 'd2']
    """
    # Columns in ascending id order make "first column wins" the same as "lowest id wins".
    order = sorted(range(len(doc_ids)), key=doc_ids.__getitem__)
    ordered_ids = [doc_ids[row] for row in order]
    columns = np.ascontiguousarray(doc_vectors[order]).T  # (dim, n_docs)
    rows_at_once = max(1, BLOCK_BYTES // (4 * max(1, len(doc_ids))))
    run: dict[str, list[Scored]] = {}
    for start in range(0, len(query_ids), rows_at_once):
        scores = query_vectors[start : start + rows_at_once] @ columns
        best, best_scores = top_k(scores, depth)
        for offset, query_id in enumerate(query_ids[start : start + rows_at_once]):
            run[query_id] = [
                Scored(ordered_ids[column], float(score))
                for column, score in zip(best[offset], best_scores[offset], strict=True)
            ]
    return run
