"""Which passages a reranker is asked about, and that its answers belong to them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("scipy")

from konayuki.errors import InputError  # noqa: E402
from konayuki.model.tokens import as_batch  # noqa: E402
from konayuki.training import ranked_lists as module  # noqa: E402
from konayuki.training.distillation import RankedLists, TaughtTexts, TextSet  # noqa: E402
from konayuki.training.losses import NEVER  # noqa: E402
from konayuki.training.ranked_lists import ranked_lists  # noqa: E402
from konayuki.training.recipe import DistillationSettings  # noqa: E402
from konayuki.training.teacher_cache import TeacherCache  # noqa: E402
from konayuki.training.word_scores import WordScores  # noqa: E402

N_QUERIES, N_PASSAGES, LENGTH = 30, 40, 6
TEXTS = [f"text {number}" for number in range(N_QUERIES + N_PASSAGES)]


class Lengths:
    """A reranker whose score follows from both texts of a pair."""

    dim = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        self.asked += texts
        pairs = [[int(side.split()[1]) for side in json.loads(text)] for text in texts]
        return np.array([[score_of(*pair)] for pair in pairs], dtype=np.float32)


def score_of(query: int, passage: int) -> float:
    return (query * 7 + passage * 3) % 16 / 4


@pytest.fixture
def taught() -> TaughtTexts:
    """Return random texts; some queries have two right passages, some passages two queries."""
    rng = np.random.default_rng(0)
    vectors = torch.from_numpy(rng.standard_normal((len(TEXTS), 12)).astype(np.float32))
    bags = as_batch([rng.integers(0, 20, 5).astype(np.int32) for _ in TEXTS])
    queries = np.concatenate([np.arange(N_QUERIES), np.arange(10)])
    passages = N_QUERIES + rng.integers(0, N_PASSAGES, len(queries))
    passages[:N_PASSAGES] = N_QUERIES + rng.permutation(N_PASSAGES)
    answers = TextSet("answers", queries, passages, aligned=True, answers=True)
    alike = TextSet("alike", queries, passages, aligned=True)
    few = TextSet("few", queries[:3], passages[:3], aligned=True, answers=True)
    units = torch.nn.functional.normalize(vectors, dim=1).bfloat16()
    return TaughtTexts(bags, units, (answers, alike, few), WordScores(bags, 20))


def lists_of(
    taught: TaughtTexts, cache: Path, reranker: Lengths | None = None, **changes: Any
) -> RankedLists:
    changes = {"word_scale": 3.0, "reranker_candidates": LENGTH, "reranker_scale": 2.0} | changes
    settings = DistillationSettings(teacher="teacher", reranker="lengths", **changes)
    scores = TeacherCache(cache, reranker or Lengths(), "pairs", 64)
    return ranked_lists(taught, TEXTS, settings, scores, seed=3)


@pytest.mark.parametrize("word_scale", [0.0, 3.0])
def test_lists_are_the_right_passages_and_those_that_come_first(
    taught: TaughtTexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word_scale: float
) -> None:
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 7)
    found = lists_of(taught if word_scale else replace(taught, words=None), tmp_path)
    vectors = taught.vectors.float().numpy()
    logits = 20 * vectors @ vectors.T
    assert taught.words is not None
    if word_scale:
        logits += word_scale * taught.words.scores(taught.bags, taught.bags)
    answers = taught.sets[0]
    np.testing.assert_array_equal(found.queries, np.arange(N_QUERIES))
    for query, row in zip(found.queries, found.passages, strict=True):
        right = set(answers.candidates[answers.queries == query].tolist())
        others = [passage for passage in range(N_QUERIES, len(TEXTS)) if passage not in right]
        others.sort(key=lambda passage: -logits[query, passage])
        assert set(row.tolist()) == right | set(others[: LENGTH - len(right)])
    wanted = [
        [2 * score_of(int(query), int(passage)) for passage in row]
        for query, row in zip(found.queries, found.passages, strict=True)
    ]
    np.testing.assert_array_equal(found.logits, wanted)


def test_a_pair_is_scored_once(taught: TaughtTexts, tmp_path: Path) -> None:
    first, second = Lengths(), Lengths()
    before = lists_of(taught, tmp_path, first, reranker_queries=10)
    assert len(first.asked) == len(set(first.asked)) == 10 * LENGTH
    after = lists_of(taught, tmp_path, second, reranker_queries=10)
    assert not second.asked
    torch.testing.assert_close(after.logits, before.logits)
    more = lists_of(taught, tmp_path, second, reranker_queries=20)  # which holds the first ten
    assert set(before.queries) < set(more.queries)
    assert len(second.asked) == 10 * LENGTH


def test_a_draw_gives_each_query_its_list_and_no_other(taught: TaughtTexts, tmp_path: Path) -> None:
    lists = lists_of(taught, tmp_path)
    queries, passages, logits = lists.draw(5 * LENGTH, np.random.default_rng(0))
    assert len(set(queries)) == 5
    assert len(set(passages)) == len(passages) == logits.shape[1]
    for query, line in zip(queries, logits, strict=True):
        row = np.flatnonzero(lists.queries == query)[0]
        expected = dict(zip(lists.passages[row], lists.logits[row].tolist(), strict=True))
        listed = np.flatnonzero(line != NEVER)
        assert {passages[column]: line[column].item() for column in listed} == expected
    assert len(lists.draw(1, np.random.default_rng(0))[0]) == 1
    assert len(lists.draw(10**6, np.random.default_rng(0))[0]) == N_QUERIES


def test_too_long_lists_are_refused(taught: TaughtTexts, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)reranker_candidates is 41: expected .*hint:"):
        lists_of(taught, tmp_path, reranker_candidates=41)
