"""The part of a passage that answers."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.search import highlight, snippet
from konayuki.search.snippet import highlights, snippets


def marked(text: str, query: str) -> list[str]:
    return [text[start:end] for start, end in highlight(text, query)]


def test_matching_words_are_marked_whatever_their_width():
    assert marked("ﾌｼﾞ山とＦＵＪＩ、Fujiyama", "フジ山 fuji") == ["ﾌｼﾞ山", "ＦＵＪＩ"]
    assert marked("富士山の高さは？", "山の高さ") == ["山の高さ"]
    assert marked("緑茶と紅茶", "茶") == ["茶", "茶"]
    assert marked("何もない", "富士山") == []
    assert marked("C++ and C", "c") == ["C", "C"]


@given(
    st.lists(st.text("富士山ﾌｼﾞ aA1→\n\u200b\u3099postgres", max_size=300), max_size=4),
    st.text("富士山フジ aA1→post", max_size=12),
)
@settings(deadline=None)
def test_texts_together_are_marked_as_each_alone(texts: list[str], query: str):
    assert highlights(texts, query) == [highlight(text, query) for text in texts]
    assert snippets(texts, query, 40) == [snippet(text, query, 40) for text in texts]


@given(st.text("富士山の高さ。", max_size=400), st.text("富士山の高さ", min_size=2, max_size=6))
@settings(deadline=None)
def test_every_pair_of_a_query_is_marked_and_nothing_else(text: str, query: str):
    pairs = {query[place : place + 2] for place in range(len(query) - 1)}
    expected = [False] * len(text)
    for place in range(len(text) - 1):
        if text[place : place + 2] in pairs:
            expected[place] = expected[place + 1] = True
    spans = highlight(text, query)
    places = {place for start, end in spans for place in range(start, end)}
    assert [place in places for place in range(len(text))] == expected
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


def test_words_are_marked_whole_or_as_beginnings_of_others():
    assert marked("Postgres and PostgreSQL, post.", "post") == ["post"]
    assert marked("Postgres and PostgreSQL", "postg") == ["Postg", "Postg"]
    texts = ["the post office", "Postgres"]
    assert highlights(texts, "post") == [[(4, 8)], [(0, 4)]]
    long = "a" * 70
    assert marked(f"{long} {long[:64]}", long) == [long[:64], long[:64]]


def test_offsets_survive_characters_that_fold_to_several():
    text = "㍿山田と㌔とİstanbul山田"
    assert marked(text, "山田") == ["山田", "山田"]


def test_the_window_holds_the_answer_and_starts_with_its_sentence():
    text = "前置きの文である。" * 30 + "富士山の高さは3776メートル。" + "後書きの文である。" * 30
    part = snippet(text, "富士山の高さ", width=60)
    assert part.text.startswith("…富士山の高さは3776メートル。")
    assert part.text.endswith("…")
    assert [part.text[a:b] for a, b in part.spans] == ["富士山の高さ"]
    assert len(part.text) <= 62


def test_without_a_match_the_beginning_is_shown():
    part = snippet("あ" * 500, "富士山", width=50)
    assert part == ("あ" * 50 + "…", [])


@given(st.text(max_size=80), st.text("富士山ﾌｼﾞ aA1", max_size=10), st.integers(1, 50))
def test_spans_ascend_within_the_part(text: str, query: str, width: int):
    part = snippet(text, query, width)
    ends = [0]
    for start, end in part.spans:
        assert ends[-1] <= start < end <= len(part.text)
        ends.append(end)
    assert len(part.text) <= max(width + 2, len(text) if len(text) <= width else 0)
