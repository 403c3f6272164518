"""Evaluate search as people use it: through the product's own Index."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from konayuki.arrays import FloatMatrix
from konayuki.choices import Mode
from konayuki.errors import InputError
from konayuki.evaluation.dense import MatryoshkaEncoder, SetScores, Setting, scores_of
from konayuki.evaluation.metrics import DEPTH, retrieval_metrics
from konayuki.evaluation.sets import RetrievalSet
from konayuki.progress import track
from konayuki.search import Index


class CutEncoder:
    """The first `dim` dimensions of a model, as an encoder of its own."""

    def __init__(self, model: MatryoshkaEncoder, dim: int) -> None:
        if not 1 <= dim <= model.dim:
            raise InputError(f"cannot cut to {dim} dimensions: the model has {model.dim}")
        self._model = model
        self.dim = dim
        self.fingerprint = f"{model.fingerprint}/{dim}"

    def encode(self, texts: Sequence[str], /) -> FloatMatrix:
        """Return one unit vector per text: float32 (n_texts, dim)."""
        return self._model.encode(texts, dim=self.dim)


def evaluate_indexed(
    model: MatryoshkaEncoder,
    evaluation_set: RetrievalSet,
    modes: Sequence[Mode],
    *,
    dim: int | None = None,
    bits: int | None = None,
    titles: bool = True,
    show_progress: bool = False,
) -> list[SetScores]:
    """Return the scores of one set in each mode, from a temporary index.

    Args:
        model: The dense half of the index; plays no part in mode "lexical".
        evaluation_set: The passages to index and the queries to answer.
        modes: How the index ranks.
        dim: Dimensions of the vectors; default: those of the model.
        bits: Label of the scores.
        titles: Whether titles are indexed too.
        show_progress: Draw bars if stderr is a terminal.
    """
    cut = model if dim in (None, model.dim) else CutEncoder(model, dim)
    scores = []
    with (
        tempfile.TemporaryDirectory(prefix="konayuki-evaluate-") as folder,
        Index.create(Path(folder) / "index", cut) as index,
    ):
        index.add(records_of(evaluation_set, titles=titles), show_progress=show_progress)
        for mode in modes:
            rankings = _ask_all(index, evaluation_set, mode, show_progress=show_progress)
            setting = Setting(mode) if mode == "lexical" else Setting(mode, cut.dim, bits)
            metrics = retrieval_metrics(rankings, evaluation_set.qrels)
            scores.append(scores_of(evaluation_set, setting, metrics))
    return scores


def records_of(evaluation_set: RetrievalSet, *, titles: bool) -> Iterator[dict[str, str]]:
    """Yield the records that `Index.add` takes: the passages, with titles if asked for."""
    for doc_id, passage in evaluation_set.corpus.items():
        title = {"title": passage.title} if titles and passage.title else {}
        yield {"id": doc_id, "text": passage.text, **title}


def _ask_all(
    index: Index, evaluation_set: RetrievalSet, mode: Mode, *, show_progress: bool
) -> dict[str, list[str]]:
    questions = track(
        evaluation_set.queries.items(),
        f"{evaluation_set.name} {mode}",
        total=len(evaluation_set.queries),
        enabled=show_progress,
    )
    return {
        query_id: [hit.id for hit in index.search(text, k=DEPTH, mode=mode)]
        for query_id, text in questions
    }
