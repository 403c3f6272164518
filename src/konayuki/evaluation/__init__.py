"""Hits into numbers: evaluation sets, metrics, reports and the model card."""

from konayuki.evaluation.datasets import read_sets, write_set
from konayuki.evaluation.dense import MatryoshkaEncoder, SetScores, Setting, evaluate_dense
from konayuki.evaluation.metrics import retrieval_metrics, similarity_metrics
from konayuki.evaluation.plan import Plan, evaluate
from konayuki.evaluation.rank import rank_vectors, rankings
from konayuki.evaluation.report import Report
from konayuki.evaluation.sets import EvaluationSet, Passage, RetrievalSet, SimilaritySet

__all__ = [
    "EvaluationSet",
    "MatryoshkaEncoder",
    "Passage",
    "Plan",
    "Report",
    "RetrievalSet",
    "SetScores",
    "Setting",
    "SimilaritySet",
    "evaluate",
    "evaluate_dense",
    "rank_vectors",
    "rankings",
    "read_sets",
    "retrieval_metrics",
    "similarity_metrics",
    "write_set",
]
