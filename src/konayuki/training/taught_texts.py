"""Gather the texts of a distillation, and have the teachers embed them.

Texts come from the pairs that may be trained on, so nothing held out is among them. The teachers'
vectors are kept in the cache of the run by text, and computed only once.
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from konayuki.model.tokens import Tokenizer
from konayuki.training.distillation import Numbers, TaughtTexts, TextSet
from konayuki.training.gathered_texts import (
    CROSSED,
    KINDS,
    PARAPHRASE,
    PASSAGE,
    Gathered,
    Numbering,
)
from konayuki.training.pair_store import PairStore
from konayuki.training.ranked_lists import ranked_lists
from konayuki.training.recipe import DistillationSettings
from konayuki.training.teacher_cache import Encoder, TeacherCache
from konayuki.training.teacher_head import learned_head
from konayuki.training.word_scores import WordScores

SECOND = "second"  # folder of the second teacher's answers


def taught_texts(
    store: PairStore,
    rows: Numbers,
    settings: DistillationSettings,
    tokenizer: Tokenizer,
    teacher: Encoder,
    cache: Path,
    *,
    second: Encoder | None = None,
    reranker: TeacherCache | None = None,
    seed: int,
) -> TaughtTexts:
    """Return the texts of the recipe's distillation with the teachers' vectors.

    Args:
        store: The pairs.
        rows: The pairs that may be trained on.
        settings: Which sources are used, and how much of them.
        tokenizer: The tokenizer of the student.
        teacher: The teacher; it embeds the texts that the cache lacks.
        cache: The folder of the cache.
        second: A second teacher for all texts but passages.
        reranker: The scores of a reranker, by pair.
        seed: Decides the samples.
    """
    gathered = Gathered(store.texts(), seed)
    for source in store.sources:
        # The first table that fits a source counts; a source that none fits is not taught.
        tables = (table for table in settings.sources if fnmatch(source.name, table.files))
        table = next(tables, None)
        if table is not None:
            allowed = rows[(rows >= source.start) & (rows < source.stop)]
            pairs = np.asarray(store.pairs[allowed, :2], dtype=np.int64)
            gathered.add(source.name, pairs, table)
    taught = gathered.taught
    vectors = _vectors(taught, list(KINDS), teacher, settings, cache)
    second_vectors = None
    if second is not None:
        kinds = [kind for kind in KINDS if kind != PASSAGE]
        second_vectors = _vectors(taught, kinds, second, settings, cache / SECOND)
    joined = _JoinedTeachers(vectors, second_vectors, gathered.paraphrases, settings, seed)
    sets = [
        joined.with_vectors(text_set)
        for text_set in gathered.all_sets()
        if min(len(text_set.queries), len(text_set.candidates)) > 1
    ]
    crossed = gathered.crossed_set()
    bags = tokenizer.tokenize(taught.texts)
    found = TaughtTexts(
        bags,
        vectors,
        tuple(sets),
        WordScores(bags, tokenizer.vocab_size) if settings.word_scale else None,
        second_vectors,
        joined.with_vectors(crossed) if crossed else None,
    )
    if reranker is None:
        return found
    ranked = ranked_lists(found, taught.texts, settings, reranker, seed=seed)
    return replace(found, ranked=ranked)


class _JoinedTeachers:
    """The vectors of both teachers side by side, through the head that a recipe may ask for."""

    def __init__(
        self,
        vectors: torch.Tensor,
        second_vectors: torch.Tensor | None,
        paraphrases: Sequence[Numbers],
        settings: DistillationSettings,
        seed: int,
    ) -> None:
        self._parts = [(vectors, 1.0)]
        if second_vectors is not None:
            share = settings.second_share
            # Square roots: the product of joined vectors is then the weighted mean of both cosines.
            self._parts = [(vectors, (1 - share) ** 0.5), (second_vectors, share**0.5)]
        self._head = None
        sources = [pairs for pairs in paraphrases if len(pairs)]
        if settings.head_steps and sources:
            numbers, rows = np.unique(np.concatenate(sources), return_inverse=True)
            ends = np.cumsum([len(pairs) for pairs in sources])[:-1]
            self._head = learned_head(
                self._joined(numbers),
                np.split(rows.reshape(-1, 2), ends),
                steps=settings.head_steps,
                scale=settings.head_scale,
                seed=seed,
            )

    def with_vectors(self, text_set: TextSet) -> TextSet:
        """Return a set; paraphrases and crossed sentences get vectors of their own."""
        if text_set.name not in (PARAPHRASE, CROSSED):
            return text_set  # the head, learned from paraphrases, costs retrieval
        joined = self._joined(text_set.queries)
        if self._head is not None:
            joined = functional.normalize(joined @ self._head, dim=1)
        return replace(text_set, vectors=joined.bfloat16())

    def _joined(self, numbers: Numbers) -> torch.Tensor:
        rows = torch.from_numpy(numbers)
        return torch.cat([part[rows].float() * length for part, length in self._parts], dim=1)


def _vectors(
    taught: Numbering,
    kinds: Sequence[str],
    teacher: Encoder,
    settings: DistillationSettings,
    cache: Path,
) -> torch.Tensor:
    """Return a teacher's vectors: bfloat16 (n_texts, dim), centred, unit or zero rows."""
    texts = taught.texts
    table = torch.zeros(len(texts), teacher.dim, dtype=torch.bfloat16)
    for kind in kinds:
        side, max_tokens = KINDS[kind]
        numbers = taught.of_kind(kind)
        if not len(numbers):
            continue
        teacher_cache = TeacherCache(cache, teacher, getattr(settings, side), max_tokens)
        vectors = teacher_cache.vectors([texts[number] for number in numbers])
        # Raw cosines of a transformer lie between 0.7 and 1 and say little after a softmax: each
        # kind, with its own prefix and length, is centred by its own mean.
        wide = torch.from_numpy(vectors).float()
        units = functional.normalize(wide - wide.mean(dim=0), dim=1)
        table[torch.from_numpy(numbers)] = units.bfloat16()
    return table
