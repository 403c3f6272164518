"""The lists of passages that a reranker scores.

A teacher of vectors has a logit for every pair of a batch. A reranker reads query and passage
together and tells them apart better, but needs a pass through the network for every pair. So it
scores, once, the passages of a source that teacher and BM25 put first, the right ones among them.
"""

from collections.abc import Sequence

import numpy as np
import torch

from konayuki.arrays import top_k
from konayuki.errors import InputError
from konayuki.training.distillation import Numbers, RankedLists, TaughtTexts, TextSet, cosines_of
from konayuki.training.gathered_texts import draws_of, sample
from konayuki.training.hub_teacher import joined_pair
from konayuki.training.pair_store import some_bags
from konayuki.training.recipe import DistillationSettings
from konayuki.training.teacher_cache import TeacherCache

QUERIES_AT_ONCE = 256  # with 100,000 passages of a source: 100 MB


def ranked_lists(
    taught: TaughtTexts,
    texts: Sequence[str],
    settings: DistillationSettings,
    reranker: TeacherCache,
    seed: int,
) -> RankedLists:
    """Return the lists of all sources whose passages answer queries.

    Args:
        taught: The texts with the teacher's vectors.
        texts: The same texts by number.
        settings: How many queries of a source, and how many passages for each.
        reranker: Gives the scores of pairs; those that it does not know are asked for.
        seed: Decides which queries.

    Raises:
        InputError: No source has enough passages for a list.
    """
    length = settings.reranker_candidates
    parts = [
        _best(taught, text_set, settings, seed)
        for text_set in taught.sets
        if text_set.answers and len(np.unique(text_set.candidates)) >= length
    ]
    if not parts:
        raise InputError(
            f"distillation.reranker_candidates is {length}: expected at most as many as a source "
            "of pairs has passages\nhint: lower it, or leave distillation.reranker out"
        )
    queries, passages = (np.concatenate(side) for side in zip(*parts, strict=True))
    rows = zip(queries, passages, strict=True)
    pairs = [joined_pair(texts[query], texts[passage]) for query, row in rows for passage in row]
    scores = torch.from_numpy(reranker.vectors(pairs)).float().view(passages.shape)
    return RankedLists(queries, passages, settings.reranker_scale * scores)


def _best(
    taught: TaughtTexts, text_set: TextSet, settings: DistillationSettings, seed: int
) -> tuple[Numbers, Numbers]:
    """Return some queries of a source, and for each the passages that come first."""
    queries, passages = np.unique(text_set.queries), np.unique(text_set.candidates)
    draws = draws_of(text_set.name, seed)
    queries = queries[sample(len(queries), settings.reranker_queries, draws)]
    right = some_bags(*taught.bags, passages)
    lists = []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        block = queries[start : start + QUERIES_AT_ONCE]
        numbers = torch.from_numpy(block), torch.from_numpy(passages)
        scores = (settings.teacher_scale * cosines_of(taught.vectors, *numbers)).numpy()
        if taught.words:
            left = some_bags(*taught.bags, block)
            scores += settings.word_scale * taught.words.scores(left, right)
        pairs = np.isin(text_set.queries, block)
        rows = np.searchsorted(block, text_set.queries[pairs])
        scores[rows, np.searchsorted(passages, text_set.candidates[pairs])] = np.inf
        best, _ = top_k(scores, settings.reranker_candidates)
        lists.append(passages[best])
    return queries, np.concatenate(lists)
