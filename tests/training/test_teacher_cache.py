"""The teacher is asked once for each text, whatever happens in between."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.training import teacher_cache
from konayuki.training.teacher_cache import TeacherCache, text_hash


class Counting:
    """Gives each text a vector of its own and remembers what it was asked."""

    dim = 3

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        self.asked += texts
        return np.stack([vector_of(prefix, text) for text in texts])


def vector_of(prefix: str, text: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    rng = np.random.default_rng(text_hash(prefix + text))
    return rng.standard_normal(3).astype(np.float16).astype(np.float32)


@given(st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=6), min_size=1, max_size=4))
def test_every_text_gets_its_vector_and_is_asked_once(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]]
) -> None:
    folder, teacher = tmp_path_factory.mktemp("cache"), Counting()
    for texts in calls:
        found = TeacherCache(folder, teacher, "query: ", 8).vectors(texts)
        np.testing.assert_array_equal(found, [vector_of("query: ", text) for text in texts])
    assert len(teacher.asked) == len(set(teacher.asked))
    assert set(teacher.asked) == {text for texts in calls for text in texts}


def test_prefixes_and_cuts_do_not_mix(tmp_path: Path) -> None:
    teacher = Counting()
    for prefix, cut in (("query: ", 8), ("passage: ", 8), ("query: ", 16)):
        TeacherCache(tmp_path, teacher, prefix, cut).vectors(["雪"])
    assert teacher.asked == ["雪"] * 3


@pytest.mark.parametrize("lost", ["hashes", "vectors"])
def test_a_run_that_stopped_in_the_middle_of_a_write_loses_that_write_only(
    tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_cache, "TEXTS_AT_ONCE", 2)
    TeacherCache(tmp_path, Counting(), "query: ", 8).vectors(["一", "二", "三", "四"])
    path = tmp_path / f"query-8.{lost}"
    path.write_bytes(path.read_bytes()[:-5])
    teacher = Counting()
    texts = ["四", "一", "五"]
    found = TeacherCache(tmp_path, teacher, "query: ", 8).vectors(texts)
    np.testing.assert_array_equal(found, [vector_of("query: ", text) for text in texts])
    assert teacher.asked == ["四", "五"]
