"""Terms of a text."""

import pytest

from konayuki.search.terms import terms_of


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("富士山", ["富士", "士山"]),
        ("Ｆｕｊｉ ３７７６ｍ", ["fuji", "3776m"]),
        ("ﾌｼﾞｻﾝ", ["フジ", "ジサ", "サン"]),
        ("C言語とPython", ["c", "言語", "語と", "python"]),
        ("人々〆ー", ["人々", "々〆", "〆ー"]),
        ("山。海", []),
        ("☆と😀", ["☆", "😀"]),
        ("한국어", ["한국", "국어"]),
        ("Straße ÉCOLE", ["straße", "école"]),
        ("", []),
    ],
)
def test_runs_give_pairs_and_words_stay_whole(text: str, grams: list[str]):
    assert terms_of(text).grams == grams


def test_lone_characters_are_told_from_those_in_pairs():
    terms = terms_of("茶と2024年の富士")
    assert terms.lone == []
    assert terms.characters == list("茶と年の富士")
    assert terms_of("茶 2024年").lone == ["茶", "年"]


def test_a_word_without_end_is_cut():
    assert terms_of("a" * 1000).grams == ["a" * 64]
