"""Normal forms, and where sentences end."""

import re
import sys
import time
import unicodedata
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.text import _COMPATIBLE_MARKS, _MARKS_OF_CLASS_0, normalize, sentence_ends, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一つ目。二つ目！三つ目？", ["一つ目。", "二つ目！", "三つ目？"]),
        ("「行く。」と言った。帰る。", ["「行く。」と言った。", "帰る。"]),
        ("「行く。」彼は立った。", ["「行く。」", "彼は立った。"]),
        ("本当に！？　はい。", ["本当に！？", "はい。"]),
        ("彼（会長。前社長）が来た。終わり。", ["彼（会長。前社長）が来た。", "終わり。"]),
        ("折り返した\n文である。次。", ["折り返した\n文である。", "次。"]),
        ("段落一\n\n段落二", ["段落一", "段落二"]),
        ("- 項目一\n- 項目二\n・項目三", ["- 項目一", "- 項目二", "・項目三"]),
        ("Version 1.5 works. See the docs.", ["Version 1.5 works.", "See the docs."]),
        ("閉じない「括弧。\n\n次の段落。終わり。", ["閉じない「括弧。", "次の段落。", "終わり。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_of_japanese_text(text: str, expected: list[str]):
    assert sentences(text) == expected


@given(st.text("あ。！「」（）\n- a.", max_size=60))
def test_ends_ascend_and_cover_the_text(text: str):
    ends = list(sentence_ends(text))
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(text)] if text else [])


FORMS = ("NFC", "NFD", "NFKC", "NFKD")
marks = st.text("\u0301\u0316\u0344\u3099\uff9e\u0f73\u0f71\u05b0", min_size=64, max_size=200)


@given(st.text("猫犬 。！？.「」\n　a", max_size=30))
@settings(max_examples=300, deadline=None)
def test_plain_texts_are_cut_where_the_rules_for_all_say(text: str):
    ends = list(sentence_ends(text))
    with patch("konayuki.text._INTRICATE", re.compile("")):
        assert list(sentence_ends(text)) == ends


@given(st.lists(st.sampled_from(["か", "é", "ｶ", "ﷺ", "a" * 600]) | marks, max_size=8).map("".join))
def test_long_runs_of_marks_get_the_normal_form_of_the_standard_library(text: str):
    for form in FORMS:
        assert normalize(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("NFD", _MARKS_OF_CLASS_0), ("NFKD", _MARKS_OF_CLASS_0 + _COMPATIBLE_MARKS)],
)
def test_every_character_that_becomes_marks_is_known(form, expected: str):
    characters = map(chr, range(sys.maxunicode + 1))
    become_marks = {
        character
        for character in characters
        if not unicodedata.combining(character)
        and unicodedata.combining(unicodedata.normalize(form, character)[:1] or "a")
    }
    assert become_marks == set(expected)
    assert not any(unicodedata.combining(chr(point)) for point in range(0x1F000, sys.maxunicode))


@pytest.mark.parametrize("form", FORMS)
def test_marks_take_time_linear_in_their_number(form):
    started = time.perf_counter()
    normalize(form, "a" + "\u0301\u0316" * 500_000)  # the standard library would take ten minutes
    assert time.perf_counter() - started < 20
