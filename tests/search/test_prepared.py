"""What is compared of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.search import Index, highlight, snippet
from konayuki.search.prepared import prepared, traced
from search.stand_in import HashEncoder

FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("さいたま市浦\n和区", "さいたま市浦和区"),
        ("さいたま市浦 \r\n  和区", "さいたま市浦和区"),
        ("データ\nベース、ﾃﾞｰﾀ\nﾍﾞｰｽ", "データベース、ﾃﾞｰﾀﾍﾞｰｽ"),
        ("浦\n\n和", "浦\n\n和"),  # a paragraph
        ("浦\n\u3000和", "浦\n\u3000和"),  # a paragraph, too: it is indented
        ("浦和は。\n次の", "浦和は。\n次の"),
        ("open\nsource", "open\nsource"),
        ("日本\nJapan\n日本", "日本\nJapan\n日本"),
        ("한국\n서울", "한국\n서울"),
        ("紀伊\u200b半島\ufeff", "紀伊半島"),
        ("葛\U000e0100飾区", "葛飾区"),
        ("浦\u200b\n和", "浦和"),
        ("浦\u200d和", "浦和"),
        ("infor\u00admation", "information"),
        (FAMILY, FAMILY),
    ],
)
def test_wrapping_and_what_nobody_sees_are_gone(text: str, expected: str):
    assert prepared(text) == expected


@given(st.text("浦和a\n\r \u3000\u200b\u200d\ufe0f\U000e0100。", max_size=30))
def test_offsets_lead_back_to_the_same_characters(text: str):
    visible, offsets = traced(text)
    assert visible == prepared(text)
    assert [text[place] for place in offsets] == list(visible)
    assert list(offsets) == sorted(offsets)


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("さいたま市浦\n和区", "浦和", ["浦\n和"]),
        ("富士山\nの高さ", "富士山", ["富士山"]),
        ("紀伊\u200b半島", "紀伊半島", ["紀伊\u200b半島"]),
        ("紀伊\u200b半島", "紀伊", ["紀伊"]),
        ("東京都葛\U000e0100飾区", "葛飾", ["葛\U000e0100飾"]),
        ("葛\U000e0100", "葛", ["葛\U000e0100"]),
        ("紀伊半島", "紀伊\u200b半島", ["紀伊半島"]),
        ("ﾌｼﾞ\n山", "フジ山", ["ﾌｼﾞ\n山"]),
    ],
)
def test_what_matches_is_marked_where_it_stands(text: str, query: str, marked: list[str]):
    assert [text[start:end] for start, end in highlight(text, query)] == marked


def test_a_snippet_joins_wrapped_lines():
    part = snippet("さいたま市浦\n和区", "浦和")
    assert part == ("さいたま市浦和区", [(5, 7)])


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("さいたま市浦\n和区", "浦和"),
        ("紀伊\u200b半島", "紀伊半島"),
        ("葛\U000e0100飾区", "葛飾区"),
        ("葛飾区", "葛\U000e0100飾区"),
    ],
)
def test_both_halves_find_it_and_the_text_is_kept(fresh, text: str, query: str):
    with Index.open(fresh(), HashEncoder()) as index:
        index.add([{"id": "1", "text": text}, {"id": "2", "text": "関係のない文書"}])
        assert [hit.id for hit in index.search(query, mode="lexical")] == ["1"]
        (hit, _) = index.search(query, mode="dense")
        assert (hit.id, hit.text) == ("1", text)
        if prepared(text) == prepared(query):
            assert hit.score == pytest.approx(1, abs=0.01)


def test_a_title_does_not_run_into_the_text(fresh):
    with Index.open(fresh(), HashEncoder()) as index:
        index.add([{"id": "1", "title": "富士山", "text": "高い"}])
        assert index.search("山高", mode="lexical") == []
