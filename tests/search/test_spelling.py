"""Words found under other spellings: exactly spelled ones first, other words never."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from konayuki.search import Index, highlight
from konayuki.search.spelling import alternatives, stems
from search.stand_in import HashEncoder


@pytest.mark.parametrize(
    ("run", "gram", "expected"),
    [
        ("国際", "国際", "國際"),
        ("國際", "國際", "国際"),
        ("渡辺", "渡辺", "渡邊"),
        ("山崎", "山崎", "山﨑"),
        ("斉藤", "斉藤", "齋藤"),
        ("とまと", "とま", "トマ"),
        ("オンセン", "オン", "おん"),
        ("さーばー", "さー", "サー"),
        ("デヴィッド", "デヴ", "デビ"),
        ("人々", "人々", "人人"),
        ("いすゞ", "すゞ", "すす"),
        ("よつて", "よつ", "ヨツ"),
        ("あった", "った", "つた"),
        ("引っ越し", "引っ", "引越"),
    ],
)
def test_other_spellings_of_a_gram(run: str, gram: str, expected: str) -> None:
    assert expected in alternatives(run)[gram]


@pytest.mark.parametrize("run", ["健", "見る", "健康", "の", "", "は"])
def test_words_that_have_no_other_spelling(run: str) -> None:
    assert alternatives(run) == {}


def test_a_short_word_keeps_its_long_vowel() -> None:
    assert "ビル" not in sum(alternatives("ビール").values(), ())


def test_no_gram_of_the_run_is_its_own_other_spelling() -> None:
    run = "引っ越しのデヴィッドさんとトマトととまと國國国"
    grams = {run[place : place + 2] for place in range(len(run) - 1)}
    assert grams.isdisjoint(sum(alternatives(run).values(), ()))


def test_stems_stay_without_okurigana_but_not_without_particles() -> None:
    assert stems("引っ越し") == ["引越"]
    assert stems("申し込みと受け付け") == ["申込", "受付"]
    assert stems("打ち合わせ") == ["打合"]
    assert stems("山の川へ海に") == []


PASSAGES = [
    "渡邊さんの家",
    "渡辺さんの家",
    "トマトの育て方",
    "引っ越しの手続",
    "引越しの見積",
    "ビルの建設",
    "健康診断",
    "申し込みの方法",
    "インタフェースの設計",
]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index.create(tmp_path / "index", HashEncoder())
    made.add({"id": text, "text": text} for text in PASSAGES)
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("渡辺", ["渡辺さんの家", "渡邊さんの家"]),
        ("渡邊", ["渡邊さんの家", "渡辺さんの家"]),
        ("引越し", ["引越しの見積", "引っ越しの手続"]),
        ("引っ越し", ["引っ越しの手続", "引越しの見積"]),
        ("とまと", ["トマトの育て方"]),
        ("申込", ["申し込みの方法"]),
        ("インターフェイス", ["インタフェースの設計"]),
        ("見", ["引越しの見積"]),
        ("ビール", []),
    ],
)
def test_search_finds_other_spellings_after_exact_ones(
    index: Index, query: str, expected: Sequence[str]
) -> None:
    hits = index.search(query, mode="lexical")
    assert [hit.id for hit in hits] == expected


def test_other_spellings_are_marked() -> None:
    assert highlight("國際会議", "国際") == [(0, 2)]
    assert highlight("トマトの育て方", "とまと") == [(0, 3)]
