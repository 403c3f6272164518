"""Evaluate a model on sets: encode once, rank at every dimension, score."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.evaluation.metrics import retrieval_metrics, similarity_metrics
from konayuki.evaluation.rank import rank_vectors, rankings
from konayuki.evaluation.sets import EvaluationSet, RetrievalSet, SimilaritySet


class MatryoshkaEncoder(Protocol):
    """A model whose vectors can be cut, as evaluation needs it; `konayuki.StaticModel` is one."""

    @property
    def dim(self) -> int:
        """The number of dimensions of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """A digest of everything that the vectors depend on."""
        ...

    def encode(
        self,
        texts: Sequence[str],
        *,
        dim: int | None = None,
        normalize: bool = True,
        show_progress: bool = False,
    ) -> FloatMatrix:
        """Return one vector per text, float32 (n_texts, dim)."""
        ...


class Setting(NamedTuple):
    """How texts were ranked.

    Examples:
        >>> Setting("hybrid", dim=256, bits=4).label
        'hybrid 256/4bit'
    """

    mode: str  # "dense", "lexical" or "hybrid"
    dim: int | None = None  # None if vectors play no part
    bits: int | None = None  # per weight; None: as the model is stored

    @property
    def label(self) -> str:
        """The setting in a few characters: `512`, `512/4bit`, `hybrid 256`."""
        words = [] if self.mode == "dense" else [self.mode]
        if self.dim is not None:
            words.append(f"{self.dim}" + (f"/{self.bits}bit" if self.bits else ""))
        return " ".join(words)


class SetScores(NamedTuple):
    """Every metric of one set under one setting.

    Examples:
        >>> from konayuki.evaluation import Setting
        >>> scores = SetScores("mine", Setting("dense", 512), {"ndcg@10": 0.9}, 10, 100)
        >>> scores.setting.label, scores.metrics["ndcg@10"]
        ('512', 0.9)
    """

    set_name: str
    setting: Setting
    metrics: dict[str, float]
    n_queries: int
    n_documents: int


def evaluate_dense(
    model: MatryoshkaEncoder,
    evaluation_set: EvaluationSet,
    dims: Sequence[int] = (),
    *,
    titles: bool = True,
    bits: int | None = None,
    show_progress: bool = False,
) -> list[SetScores]:
    """Return the scores of one set at each of `dims` (default: the dimensions of the model).

    The texts are encoded once: the first `d` dimensions of a vector, scaled to length 1, are the
    vector of a model cut to `d` dimensions.

    Examples:
        >>> from konayuki.evaluation import Passage, RetrievalSet
        >>> corpus = {"d1": Passage("富士山は高い。"), "d2": Passage("味噌汁は汁物だ。")}
        >>> mine = RetrievalSet("mine", corpus, {"q": "最高峰の山"}, {"q": {"d1": 1}})
        >>> for scores in evaluate_dense(model, mine, dims=(512, 64)):
        ...     print(scores.setting.label, scores.metrics["accuracy@1"])
        512 1.0
        64 1.0
    """
    dims = dims or (model.dim,)
    if isinstance(evaluation_set, SimilaritySet):
        return _similarity_scores(model, evaluation_set, dims, bits)
    doc_ids, query_ids = list(evaluation_set.corpus), list(evaluation_set.queries)
    documents = [passage.full_text(titles=titles) for passage in evaluation_set.corpus.values()]
    doc_vectors = model.encode(
        documents, dim=max(dims), normalize=False, show_progress=show_progress
    )
    query_vectors = model.encode(
        list(evaluation_set.queries.values()), dim=max(dims), normalize=False
    )
    scores = []
    for dim in dims:
        run = rank_vectors(
            query_ids, unit_rows(query_vectors, dim), doc_ids, unit_rows(doc_vectors, dim)
        )
        metrics = retrieval_metrics(rankings(run), evaluation_set.qrels)
        scores.append(scores_of(evaluation_set, Setting("dense", dim, bits), metrics))
    return scores


def scores_of(
    evaluation_set: RetrievalSet, setting: Setting, metrics: dict[str, float]
) -> SetScores:
    """Return the metrics of a retrieval set with what was measured."""
    n_queries, n_documents = len(evaluation_set.queries), len(evaluation_set.corpus)
    return SetScores(evaluation_set.name, setting, metrics, n_queries, n_documents)


def _similarity_scores(
    model: MatryoshkaEncoder, pairs: SimilaritySet, dims: Sequence[int], bits: int | None
) -> list[SetScores]:
    first = model.encode(pairs.first, dim=max(dims), normalize=False)
    second = model.encode(pairs.second, dim=max(dims), normalize=False)
    scores = []
    for dim in dims:
        cosines = (unit_rows(first, dim) * unit_rows(second, dim)).sum(axis=1)
        metrics = similarity_metrics(cosines, np.asarray(pairs.scores))
        scores.append(
            SetScores(pairs.name, Setting("dense", dim, bits), metrics, len(pairs.scores), 0)
        )
    return scores
