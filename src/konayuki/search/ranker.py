"""The second look: one score out of five features of a candidate, and how relevant it is.

The score is a weighted sum of features, each as a distance from the mean of the candidates in
standard deviations, so it compares within one answer only. The relevance is made of the features as
they are, so it compares between questions.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.arrays import FloatVector
from konayuki.errors import CheckpointError
from konayuki.model.model_files import read_model_file
from konayuki.search.encoder import Encoder

FILE_NAME = "ranker.json"
FEATURES = ("dense", "lexical", "late", "sentence", "length")
RAW_FEATURES = ("dense", "coverage", "late", "sentence", "contrast", "lead")
_RIVAL = 10  # the candidate that contrast is measured against
_FORMAT = 1
_MAX_BYTES = 1 << 20
_MOST = 1e6  # of a weight; sums of more could leave float32
_SAME_SCORE = 1e-4  # less is rounding
_LEAST_SPREAD = 1e-6  # candidates that differ less are equal up to rounding


@dataclass(frozen=True)
class Candidates:
    """Candidates of one question, all arrays float32 (n,).

    Attributes:
        dense: Cosine of question and passage.
        lexical: BM25.
        late: Late interaction, at most 1.
        sentence: Cosine of the question and the best sentence.
        tokens: Number of tokens.
        ceiling: The BM25 that no passage exceeds for this question.
    """

    dense: FloatVector
    lexical: FloatVector
    late: FloatVector
    sentence: FloatVector
    tokens: FloatVector
    ceiling: float

    def features(self) -> dict[str, FloatVector]:
        """Return what the score is made of, by name."""
        return {
            "dense": self.dense,
            "lexical": self.lexical,
            "late": self.late,
            "sentence": self.sentence,
            "length": np.log(np.maximum(self.tokens, 1)),
        }

    def raw_features(self, scores: FloatVector, n_pool: int) -> dict[str, FloatVector]:
        """Return what the relevance is made of, by name.

        A right passage stands out: `contrast` is how far its score lies above that of the tenth
        best candidate, `lead` how far above the best other one (equal passages are one).

        Args:
            scores: float32 (n,), sums of the parts.
            n_pool: The first this many are compared with.
        """
        ordered = np.sort(scores[:n_pool].astype(np.float64))[::-1]
        best = ordered[0] if n_pool else 0.0
        below = ordered[ordered < best - _SAME_SCORE]
        second = below[0] if len(below) else best
        rival = ordered[:_RIVAL][-1] if n_pool else 0.0
        leads = np.where(scores >= best - _SAME_SCORE, scores - second, scores - best)
        return {
            "dense": self.dense,
            "coverage": self.lexical / np.float32(max(self.ceiling, 1e-9)),
            "late": self.late,
            "sentence": self.sentence,
            "contrast": (scores - rival).astype(np.float32),
            "lead": leads.astype(np.float32),
        }


@dataclass(frozen=True)
class Ranker:
    """The weights of a model; immutable.

    Attributes:
        fingerprint: Of the model that they were learned with; "" for the default ones.
        weights: By name of a feature.
        relevance: By name of a raw feature, and "bias".
    """

    fingerprint: str
    weights: Mapping[str, float]
    relevance: Mapping[str, float]

    def parts(self, candidates: Candidates, n_pool: int) -> dict[str, FloatVector]:
        """Return what each feature adds to the score of each candidate.

        Args:
            candidates: Those of a question.
            n_pool: The first this many decide what is average.
        """
        features = candidates.features()
        columns = np.array(list(features.values()), np.float32)  # all at once: they are short
        weights = np.array([[self.weights[name]] for name in features])
        pool = columns[:, :n_pool].astype(np.float64)
        means = pool.sum(axis=1, keepdims=True) / max(n_pool, 1)
        spreads = np.sqrt(np.square(pool - means).sum(axis=1, keepdims=True) / max(n_pool, 1))
        weights[spreads <= _LEAST_SPREAD] = 0
        spreads[spreads <= _LEAST_SPREAD] = 1
        parts = (weights * ((columns - means) / spreads)).astype(np.float32)
        return dict(zip(features, parts, strict=True))

    def relevance_of(self, candidates: Candidates, scores: FloatVector, n_pool: int) -> FloatVector:
        """Return how likely each candidate answers the question: float32 (n,), 0 to 1.

        Args:
            candidates: Those of a question.
            scores: float32 (n,), sums of the parts.
            n_pool: The first this many are compared with.
        """
        raw = candidates.raw_features(scores, n_pool)
        terms = [self.relevance.get(name, 0.0) * values for name, values in raw.items()]
        logits = np.sum(terms, axis=0) + self.relevance["bias"]
        relevance: FloatVector = (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
        return relevance

    def as_json(self, notes: Mapping[str, Any] | None = None) -> str:
        """Return the content of `ranker.json`."""
        content = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "weights": dict(self.weights),
            "relevance": dict(self.relevance),
            **(notes or {}),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def rules() -> dict[str, float]:
    """Return the constants of scores and relevance, for runtimes that do the same."""
    return {"rival": _RIVAL, "same_score": _SAME_SCORE, "least_spread": _LEAST_SPREAD}


# For models without weights of their own: rounded from those of the bundled model.
DEFAULT = Ranker(
    "",
    {"dense": 0.5, "lexical": 0.35, "late": 0.75, "sentence": 0.2, "length": -0.3},
    {"dense": 3.0, "coverage": 3.0, "late": 3.0, "sentence": 1.0, "bias": -4.5},
)


def ranker_of(model: Encoder) -> Ranker:
    """Return the weights that lie next to a model if they are its own, else the default ones.

    Raises:
        CheckpointError: The file cannot be read.
    """
    source = getattr(model, "source", None)
    if not isinstance(source, Path):
        return DEFAULT
    ranker = _read(source / FILE_NAME)
    return ranker if ranker and ranker.fingerprint == model.fingerprint else DEFAULT


def _read(path: Path) -> Ranker | None:
    if not os.path.lexists(path):
        return None
    text = read_model_file(path, _MAX_BYTES)
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        weights = {name: float(content["weights"][name]) for name in FEATURES}
        relevance = {str(name): float(value) for name, value in content["relevance"].items()}
        relevance["bias"]
        if any(not abs(value) <= _MOST for value in [*weights.values(), *relevance.values()]):
            raise ValueError(f"expected weights of at most {_MOST:g}")
        return Ranker(str(content["fingerprint"]), weights, relevance)
    except (
        ArithmeticError, ValueError, LookupError, TypeError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise CheckpointError(f"{path}: {error!r}: expected the weights of a ranker") from error
