"""Gather the texts of a distillation, and ask the teacher about them.

Texts come from the pairs that may be trained on, so nothing held out is among them. What the
teacher says is kept in the cache of the run by text, and asked only once.
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from konayuki.training.distillation import Numbers, TaughtTexts, TextSet
from konayuki.training.gathered_texts import (
    CROSSED,
    KINDS,
    PARAPHRASE,
    PASSAGE,
    Gathered,
    Numbering,
)
from konayuki.training.pair_store import PairStore, Tokenize
from konayuki.training.recipe import DistillationSettings
from konayuki.training.teacher_cache import Encoder, TeacherCache
from konayuki.training.teacher_head import learned_head

SECOND = "second"  # folder of the second teacher's answers


def taught_texts(
    store: PairStore,
    rows: Numbers,
    settings: DistillationSettings,
    tokenizer: Tokenize,
    teacher: Encoder,
    cache: Path,
    *,
    second: Encoder | None = None,
    seed: int,
    show_progress: bool = True,
) -> TaughtTexts:
    """Return the texts of the recipe's distillation with the teacher's vectors.

    Args:
        store: the pairs.
        rows: those that may be trained on.
        settings: which sources, and how much of them.
        tokenizer: of the student.
        teacher: asked about texts that the cache lacks.
        cache: a folder.
        second: a second teacher, asked about all but passages.
        seed: of the samples.
        show_progress: a bar on stderr while the teacher works.
    """
    gathered = Gathered(store.texts(), seed)
    for source in store.sources:
        # The first table that fits a source counts; a source that none fits is not taught.
        asked = next((one for one in settings.sources if fnmatch(source.name, one.files)), None)
        if asked is not None:
            allowed = rows[(rows >= source.start) & (rows < source.stop)]
            pairs = np.asarray(store.pairs[allowed, :2], dtype=np.int64)
            gathered.add(source.name, pairs, asked)
    taught = gathered.taught
    vectors = _vectors(taught, list(KINDS), teacher, cache, show_progress)
    second_vectors = None
    if second is not None:
        kinds = [kind for kind in KINDS if kind != PASSAGE]
        second_vectors = _vectors(taught, kinds, second, cache / SECOND, show_progress)
    heard = _Heard(vectors, second_vectors, gathered.paraphrases, settings, seed)
    sets = [heard.with_vectors(one) for one in gathered.all_sets() if _is_large(one)]
    crossed = gathered.crossed_set()
    return TaughtTexts(
        tokenizer.encode(taught.texts),
        vectors,
        tuple(sets),
        tokenizer.vocab_size,
        second_vectors,
        heard.with_vectors(crossed) if crossed else None,
    )


class _Heard:
    """Both teachers about paraphrases, through the head that the recipe may ask for."""

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
            self._parts = [(vectors, (1 - share) ** 0.5), (second_vectors, share**0.5)]
        self._head = None
        sources = [pairs for pairs in paraphrases if len(pairs)]
        if settings.head_steps and sources:
            known, places = np.unique(np.concatenate(sources), return_inverse=True)
            ends = np.cumsum([len(pairs) for pairs in sources])[:-1]
            self._head = learned_head(
                self._joined(known),
                np.split(places.reshape(-1, 2), ends),
                steps=settings.head_steps,
                scale=settings.head_scale,
                seed=seed,
            )

    def with_vectors(self, one: TextSet) -> TextSet:
        """Return a set; one of paraphrases, or crossed ones, with vectors of its own."""
        if one.name not in (PARAPHRASE, CROSSED):
            return one
        joined = self._joined(one.queries)
        if self._head is not None:
            joined = functional.normalize(joined @ self._head, dim=1)
        return replace(one, vectors=joined.bfloat16())

    def _joined(self, numbers: Numbers) -> torch.Tensor:
        rows = torch.from_numpy(numbers)
        return torch.cat([part[rows].float() * length for part, length in self._parts], dim=1)


def _vectors(
    taught: Numbering, kinds: Sequence[str], teacher: Encoder, cache: Path, show_progress: bool
) -> torch.Tensor:
    """Return what a teacher says of texts: bfloat16 (n_texts, dim), centred, unit or zero rows."""
    texts = taught.texts
    table = torch.zeros(len(texts), teacher.dim, dtype=torch.bfloat16)
    for kind in kinds:
        prefix, max_tokens = KINDS[kind]
        numbers = taught.of_kind(kind)
        if not len(numbers):
            continue
        asked = TeacherCache(cache, teacher, prefix, max_tokens)
        found = asked.vectors([texts[one] for one in numbers], show_progress=show_progress)
        table[torch.from_numpy(numbers)] = _centred(torch.from_numpy(found)).bfloat16()
    return table


def _centred(vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors less their mean, with unit rows: float32 of the same shape."""
    wide = vectors.float()
    return functional.normalize(wide - wide.mean(dim=0), dim=1)


def _is_large(one: TextSet) -> bool:
    return min(len(one.queries), len(one.candidates)) > 1
