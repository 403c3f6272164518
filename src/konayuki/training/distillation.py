"""The loss of distillation: random sets of texts that the teachers have embedded.

A step draws one set, the larger ones more often, and from it compares

    pairs       queries of a source with the passages of the same rows,
    texts       texts with each other, a text never with itself,
    crossing    questions with sentences, which need not be from one source.

Paraphrases, and sentences crossed from them, have vectors of their own, joined from both teachers.
A reranker, which reads query and passage together, is heard about short lists of passages.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from konayuki.errors import InputError
from konayuki.model.tokens import TokenBatch
from konayuki.training.losses import NEVER, nested_divergence
from konayuki.training.network import TrainedSSE
from konayuki.training.pair_store import some_bags
from konayuki.training.precision import product_dtype
from konayuki.training.recipe import Recipe
from konayuki.training.word_scores import WordScores

Numbers = npt.NDArray[np.int64]

LARGE_SET = 20_000  # texts; a larger set is not drawn more often
CANDIDATES_PER_QUERY = 2  # of crossing sets, whose sides are not aligned


@dataclass(frozen=True)
class TextSet:
    """What a step may draw, by text number.

    Attributes:
        name: The name of the source or kind.
        queries: The queries; if the set is of one kind, in order and without repetitions.
        candidates: What they are compared with; the same array if the set is of one kind.
        aligned: Whether row i of both sides is a pair.
        vectors: The teachers' vectors for this set only, bfloat16 (n_queries, any), unit rows.
        groups: What is drawn together, (n_groups, size).
        answers: Whether candidates answer the queries, so that a reranker can order them.
    """

    name: str
    queries: Numbers
    candidates: Numbers
    aligned: bool = False
    vectors: torch.Tensor | None = None
    groups: Numbers | None = None
    answers: bool = False

    @property
    def same(self) -> bool:
        """Whether both sides are one list of texts."""
        return self.queries is self.candidates

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Return distinct queries and distinct candidates, about `n` of each."""
        if self.groups is not None:
            n_groups = min(-(-n // self.groups.shape[1]), len(self.groups))
            drawn = self.groups[rng.choice(len(self.groups), n_groups, replace=False)]
            texts = np.unique(drawn)
            return texts, texts
        rows = rng.choice(len(self.queries), min(n, len(self.queries)), replace=False)
        queries = np.unique(self.queries[rows])
        if self.same:
            return queries, queries
        if self.aligned:
            return queries, np.unique(self.candidates[rows])
        n_candidates = min(CANDIDATES_PER_QUERY * n, len(self.candidates))
        return queries, rng.choice(self.candidates, n_candidates, replace=False)


@dataclass(frozen=True)
class RankedLists:
    """Queries, each with a list of passages that a reranker has scored.

    Attributes:
        queries: The queries, by text number (n_lists,).
        passages: Different passages for each query, by text number (n_lists, length).
        logits: The reranker's logits, float32 (n_lists, length).
    """

    queries: Numbers
    passages: Numbers
    logits: torch.Tensor

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Numbers, Numbers, torch.Tensor]:
        """Return queries, the distinct passages of their lists, about `n`, and their logits.

        The logits are float32 (n_queries, n_passages), `NEVER` for passages of other lists.
        """
        n_lists = min(max(1, n // self.passages.shape[1]), len(self.queries))
        rows = rng.choice(len(self.queries), n_lists, replace=False)
        passages, columns = np.unique(self.passages[rows], return_inverse=True)
        logits = torch.full((n_lists, len(passages)), NEVER)
        logits.scatter_(1, torch.from_numpy(columns.reshape(n_lists, -1)), self.logits[rows])
        return self.queries[rows], passages, logits


@dataclass(frozen=True)
class TaughtTexts:
    """Texts by number, with their tokens and the teacher's vectors.

    Attributes:
        bags: The tokens.
        vectors: The teacher's vectors, bfloat16 (n_texts, any), centred, unit rows.
        sets: What a step draws from.
        words: BM25 of the texts, if the recipe adds it.
        second_vectors: The second teacher's, if there is one; zero rows for texts it was not given.
        crossed: Crossed sentences, if the recipe makes some.
        ranked: What the reranker has scored, if there is one.
    """

    bags: TokenBatch
    vectors: torch.Tensor
    sets: tuple[TextSet, ...]
    words: WordScores | None = None
    second_vectors: torch.Tensor | None = None
    crossed: TextSet | None = None
    ranked: RankedLists | None = None


class Distillation:
    """The loss of a student against what the teachers say of some texts."""

    def __init__(self, texts: TaughtTexts, recipe: Recipe) -> None:
        if not texts.sets:
            raise InputError('no source fits a pattern of distillation.sources\nhint: try "*"')
        # Square roots: small sets of a kind are drawn more often than their texts alone would be.
        sizes = [min(len(text_set.queries), LARGE_SET) ** 0.5 for text_set in texts.sets]
        self._texts = texts
        self._shares = np.array(sizes) / sum(sizes)
        self._recipe = recipe

    def loss(self, network: TrainedSSE, rng: np.random.Generator) -> torch.Tensor:
        """Return the divergence of a random set, with its gradients."""
        chosen = self._texts.sets[rng.choice(len(self._texts.sets), p=self._shares)]
        return self._divergence(network, chosen, rng)

    def weighted_loss(self, network: TrainedSSE, rng: np.random.Generator) -> torch.Tensor:
        """Return what joins a step: the divergences of a random set, crossed sentences, lists."""
        settings, texts = self._recipe.distillation, self._texts
        loss = settings.weight * self.loss(network, rng)
        if texts.crossed and settings.crossed_weight:
            loss = loss + settings.crossed_weight * self._divergence(network, texts.crossed, rng)
        if texts.ranked:
            queries, passages, logits = texts.ranked.draw(settings.batch_size, rng)
            bags = self._bags(queries, passages)
            loss = loss + settings.reranker_weight * self._divergence_of(network, *bags, logits)
        return loss

    def _divergence(
        self, network: TrainedSSE, chosen: TextSet, rng: np.random.Generator
    ) -> torch.Tensor:
        settings, words = self._recipe.distillation, self._texts.words
        queries, candidates = chosen.draw(settings.batch_size, rng)
        left, right = self._bags(queries, candidates)
        logits = self._logits(chosen, queries, candidates)
        if words and not chosen.same:
            logits += settings.word_scale * torch.from_numpy(words.scores(left, right))
        return self._divergence_of(network, left, right, logits)

    def _bags(self, queries: Numbers, candidates: Numbers) -> tuple[TokenBatch, TokenBatch]:
        """Return the tokens of both sides, the same twice if they are the same texts."""
        training = self._recipe.training
        left = some_bags(*self._texts.bags, queries, training.max_query_tokens)
        if candidates is queries:
            return left, left
        return left, some_bags(*self._texts.bags, candidates, training.max_passage_tokens)

    def _divergence_of(
        self, network: TrainedSSE, left: TokenBatch, right: TokenBatch, logits: torch.Tensor
    ) -> torch.Tensor:
        outputs = network.outputs(left)
        return nested_divergence(
            outputs,
            outputs if right is left else network.outputs(right),
            logits,
            dims=self._recipe.model.dims,
            scale=self._recipe.distillation.scale,
            dtype=product_dtype(self._recipe.training.bf16),
        )

    def _logits(self, chosen: TextSet, queries: Numbers, candidates: Numbers) -> torch.Tensor:
        """Return the teachers' logits: float32 (n_queries, n_candidates)."""
        settings = self._recipe.distillation
        if chosen.vectors is not None:
            rows = torch.from_numpy(np.searchsorted(chosen.queries, queries))
            scale = settings.paraphrase_scale or settings.teacher_scale
            return cosines_of(chosen.vectors, rows, rows).mul_(scale)
        left, right = torch.from_numpy(queries), torch.from_numpy(candidates)
        cosines = cosines_of(self._texts.vectors, left, right)
        if chosen.same and self._texts.second_vectors is not None:
            other = cosines_of(self._texts.second_vectors, left, right)
            cosines = cosines.lerp_(other, settings.second_share)
        return cosines.mul_(settings.teacher_scale)


def cosines_of(vectors: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the cosines of some unit rows with others: float32 (len(left), len(right))."""
    dtype = product_dtype()
    return (vectors[left].to(dtype) @ vectors[right].T.to(dtype)).float()
