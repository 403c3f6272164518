"""Where sentences end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.text import sentence_ends, sentences


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
