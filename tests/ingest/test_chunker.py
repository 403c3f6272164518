"""Passages of documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.ingest.chunker import Cutting, chunk
from konayuki.ingest.outline import Section


def test_passages_hold_whole_sentences_and_never_cross_headings():
    sections = [Section(("一",), "あいう。" * 10), Section(("二",), "かきく。")]
    chunks = chunk(sections, Cutting(size=14))
    assert {len(piece.text) for piece in chunks} == {12, 4}
    assert all(piece.text.endswith("。") for piece in chunks)
    assert [piece.position for piece in chunks] == list(range(5))
    assert [piece.heading for piece in chunks] == ["一"] * 4 + ["二"]


def test_overlap_repeats_whole_sentences():
    chunks = chunk(
        [Section((), "".join(f"文{n}。" for n in range(8)))], Cutting(size=12, overlap=4)
    )
    assert [piece.text for piece in chunks] == [
        "文0。文1。文2。文3。", "文3。文4。文5。文6。", "文6。文7。",
    ]  # fmt: skip


def test_a_long_sentence_is_cut_at_a_comma_or_at_the_size():
    text = "あ" * 7 + "、" + "い" * 30
    pieces = [piece.text for piece in chunk([Section((), text)], Cutting(size=10))]
    assert pieces[0] == "あ" * 7 + "、"
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 10


@given(st.text("あいう。、「」\n a.", max_size=200), st.integers(1, 40), st.integers(0, 39))
def test_nothing_is_lost_and_nothing_too_long(text: str, size: int, overlap: int):
    cutting = Cutting(size, min(overlap, size - 1))
    chunks = chunk([Section((), text)], cutting)
    assert all(0 < len(piece.text) <= size for piece in chunks)
    assert all(piece.text in text for piece in chunks)
    kept = "".join("".join(piece.text for piece in chunks).split())
    solid = "".join(text.split())
    assert kept == solid if cutting.overlap == 0 else len(kept) >= len(solid)


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (-1, 0), (10, 10), (10, -1)])
def test_a_size_that_cannot_be_is_refused(size: int, overlap: int):
    with pytest.raises(InputError, match="expected a positive size"):
        Cutting(size, overlap)
