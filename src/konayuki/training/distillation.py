"""What a teacher adds to a run: a loss over random sets of texts that it has embedded.

The teacher's vectors are centred (queries, passages and sentences each by their own mean) and
normalised again: raw cosines of a transformer lie so close together that a softmax over them says
little. A step draws one set, the larger ones more often, and from it

    pairs       queries of a source against the passages of the same rows,
    texts       texts against each other, a text never against itself,
    crossing    questions against sentences, which need not be from one source.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from konayuki.errors import InputError
from konayuki.model.tokens import TokenBatch
from konayuki.training.network import TrainedSSE
from konayuki.training.pair_store import some_bags
from konayuki.training.recipe import Recipe
from konayuki.training.teacher_loss import nested_divergence
from konayuki.training.word_scores import WordScores

Numbers = npt.NDArray[np.int64]

LARGE_SET = 20_000  # a set of more draws no more often
CANDIDATES_A_QUERY = 2  # of crossing sets


@dataclass(frozen=True)
class TextSet:
    """What a step may draw: with `aligned`, row i of both sides is a pair."""

    name: str
    queries: Numbers
    candidates: Numbers
    aligned: bool = False

    @property
    def same(self) -> bool:
        """Whether both sides are one list of texts."""
        return self.queries is self.candidates

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Return distinct queries and distinct candidates, about `n` of each."""
        rows = rng.choice(len(self.queries), min(n, len(self.queries)), replace=False)
        queries = np.unique(self.queries[rows])
        if self.same:
            return queries, queries
        if self.aligned:
            return queries, np.unique(self.candidates[rows])
        n_candidates = min(CANDIDATES_A_QUERY * n, len(self.candidates))
        return queries, rng.choice(self.candidates, n_candidates, replace=False)


@dataclass(frozen=True)
class TaughtTexts:
    """Texts by number, with their tokens and the teacher's vectors.

    Attributes:
        bags: the tokens.
        vectors: bfloat16 (n_texts, any), the teacher's, centred, unit rows.
        sets: what a step draws from.
        vocab_size: one more than the largest token id.
        second_vectors: those of the second teacher, if there is one; zero where it is not asked.
    """

    bags: TokenBatch
    vectors: torch.Tensor
    sets: tuple[TextSet, ...]
    vocab_size: int
    second_vectors: torch.Tensor | None = None


class Distillation:
    """The loss of a student against a teacher.

    Args:
        texts: what the teacher has embedded.
        recipe: with the dims, precision and settings.
    """

    def __init__(self, texts: TaughtTexts, recipe: Recipe) -> None:
        if not texts.sets:
            raise InputError('no source fits a pattern of distillation.sources\nhint: try "*"')
        sizes = [min(len(one.queries), LARGE_SET) ** 0.5 for one in texts.sets]
        self._texts = texts
        self._shares = np.array(sizes) / sum(sizes)
        self._recipe = recipe
        self._words = None
        if recipe.distillation.word_scale:
            self._words = WordScores(texts.bags, texts.vocab_size)

    def loss(self, network: TrainedSSE, rng: np.random.Generator) -> torch.Tensor:
        """Return the divergence of a random set, with its gradients."""
        settings, training = self._recipe.distillation, self._recipe.training
        chosen = self._texts.sets[rng.choice(len(self._texts.sets), p=self._shares)]
        queries, candidates = chosen.draw(settings.batch_size, rng)
        asked = some_bags(*self._texts.bags, queries, training.max_query_tokens)
        found = asked
        if not chosen.same:
            found = some_bags(*self._texts.bags, candidates, training.max_passage_tokens)
        outputs = network.outputs(asked)
        logits = self._logits(queries, candidates, same=chosen.same)
        if self._words and not chosen.same:
            logits += settings.word_scale * torch.from_numpy(self._words.scores(asked, found))
        return nested_divergence(
            outputs,
            outputs if chosen.same else network.outputs(found),
            logits,
            dims=self._recipe.model.dims,
            scale=settings.scale,
            same=chosen.same,
            dtype=torch.bfloat16 if training.bf16 else torch.float32,
        )

    def _logits(self, queries: Numbers, candidates: Numbers, *, same: bool) -> torch.Tensor:
        """Return the teacher's logits: float32 (n_queries, n_candidates)."""
        settings = self._recipe.distillation
        left, right = torch.from_numpy(queries), torch.from_numpy(candidates)
        cosines = _cosines(self._texts.vectors, left, right)
        if same and self._texts.second_vectors is not None:
            other = _cosines(self._texts.second_vectors, left, right)
            cosines = cosines.lerp_(other, settings.second_share)
        return cosines.mul_(settings.teacher_scale)


def _cosines(vectors: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return (vectors[left] @ vectors[right].T).float()
