"""Words of a query and their other spellings: what is found, and what is left alone."""

from pathlib import Path

import pytest

import konayuki
from konayuki.search import Index, highlight
from konayuki.search.respelled import respelled
from konayuki.search.words import spellings_of, words_in

MODEL = konayuki.StaticModel.load()


def other_spellings(run: str) -> dict[str, list[str]]:
    return {run[word.start : word.end]: [s.text for s in word.spellings] for word in words_in(run)}


@pytest.mark.parametrize(
    ("run", "word", "usual"),
    [
        ("とうきょうのじんこう", "とうきょう", "東京"),
        ("とうきょうのじんこう", "じんこう", "人口"),
        ("せんたくきのつかいかた", "せんたくき", "洗濯機"),
        ("ひっこしする", "ひっこし", "引っ越し"),
        ("引越し手続き", "引越し", "引っ越し"),
        ("引越手続", "引越", "引っ越し"),
        ("申込の期限", "申込", "申し込み"),
        ("サーバの設定", "サーバ", "サーバー"),
        ("さーばーのせってい", "さーばー", "サーバー"),
        ("とまとをそだてる", "とまと", "トマト"),
        ("オンセン", "オンセン", "温泉"),
        ("いぬ", "いぬ", "犬"),
        ("へやで待つ", "へや", "部屋"),
        ("林檎の皮", "林檎", "りんご"),
    ],
)
def test_words_know_their_usual_spellings(run: str, word: str, usual: str) -> None:
    assert usual in other_spellings(run)[word]


@pytest.mark.parametrize(
    "run",
    [
        "それはなしで",
        "嬉しそうに",
        "走っている",
        "これについて",
        "しないでください",
        "",
        "の",
        "健",
    ],
)
def test_endings_and_particles_are_no_words(run: str) -> None:
    assert other_spellings(run) == {}


def test_a_reading_of_many_words_is_none_of_them_for_certain() -> None:
    for reading in ("こうえん", "かいてい", "せいぼ"):
        assert len(spellings_of(reading)) > 1
        assert all(spelling.share < 0.8 for spelling in spellings_of(reading))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("児童が遊ぶこうえん", "児童が遊ぶ公園"),
        ("大学教授のこうえん", "大学教授の講演"),
        ("とうきょうのＪＲ", "東京のjr"),
        ("東京のＪＲ", "東京のＪＲ"),
        ("この電車は速い", "この電車は速い"),
        ("引越の日", "引っ越しの日"),
        ("引っ越しの日", "引っ越しの日"),
    ],
)
def test_a_question_is_respelled_by_what_fits_its_rest(query: str, expected: str) -> None:
    assert respelled(query, MODEL.encode) == expected


def test_every_line_can_be_looked_up() -> None:
    for word in ("とうきょう", "引越", "サーバ"):
        spellings = spellings_of(word)
        assert [spelling.text for spelling in spellings]
        assert all(0 < spelling.share <= 1 for spelling in spellings)
    assert not spellings_of("とうきょ")


def test_a_long_question_is_left_alone_and_a_short_one_encoded_once() -> None:
    calls = []

    def encode(texts: list[str]) -> konayuki.arrays.FloatMatrix:
        calls.append(texts)
        return MODEL.encode(texts)

    assert respelled("大学教授のこうえんと、こうえんのベンチ", encode) != ""
    assert len(calls) == 1
    assert respelled("こうえん、" * 1000, encode) == "こうえん、" * 1000
    assert len(calls) == 1


PASSAGES = [
    "東京の人口は千四百万人である。",
    "とうきょうの人口は千四百万人である。",
    "大阪の人口は九百万人である。",
    "洗濯機の使い方を説明する。",
    "引っ越しの手続きは市役所でする。",
    "サーバーを再起動する。",
    "引越しの手続きは市役所でする。",
    "トマトを育てる。",
    "データをロールバックする。",
    "温泉に入る。",
    "健康診断を受ける。",
    "夢を見る。",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    made = Index.create(tmp_path_factory.mktemp("words") / "i", MODEL)
    made.add({"id": text, "text": text} for text in PASSAGES)
    return made


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("とうきょうの人口", "とうきょうの人口は千四百万人である。"),
        ("東京の人口", "東京の人口は千四百万人である。"),
        ("せんたくき", "洗濯機の使い方を説明する。"),
        ("ひっこし", "引っ越しの手続きは市役所でする。"),
        ("引越し", "引越しの手続きは市役所でする。"),
        ("引っ越し", "引っ越しの手続きは市役所でする。"),
        ("さーばー", "サーバーを再起動する。"),
        ("とまと", "トマトを育てる。"),
        ("ろーるばっく", "データをロールバックする。"),
        ("オンセン", "温泉に入る。"),
    ],
)
def test_exact_spellings_come_first_and_others_are_found(
    index: Index, query: str, expected: str, mode: str
) -> None:
    assert index.search(query, mode=mode)[0].id == expected  # type: ignore[arg-type]


def test_the_other_spelling_follows_the_exact_one(index: Index) -> None:
    ids = [hit.id for hit in index.search("とうきょうのじんこう", 2, "lexical")]
    assert ids == [PASSAGES[1], PASSAGES[0]]


@pytest.mark.parametrize(
    ("asked", "other"),
    [("渡辺", "渡邊"), ("渡邊", "渡辺"), ("引っ越し", "引越し"), ("引越し", "引っ越し")],
)
@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_a_name_is_found_in_its_other_form_behind_the_own_one(
    tmp_path: Path, asked: str, other: str, mode: str
) -> None:
    made = Index.create(tmp_path / "i", MODEL)
    texts = [f"{asked}の件で電話した。", f"{other}の件で電話した。", "会議の件で電話した。"]
    made.add({"id": text, "text": text} for text in texts)
    assert [hit.id for hit in made.search(asked, 2, mode)] == texts[:2]  # type: ignore[arg-type]


def test_a_word_finds_no_other_word_of_the_same_reading(index: Index) -> None:
    assert [hit.id for hit in index.search("健康", mode="lexical")] == ["健康診断を受ける。"]
    assert index.search("けん", mode="lexical") == []


def test_the_second_look_credits_another_spelling(index: Index) -> None:
    first = index.search("せんたくき")[0]
    assert first.relevance == pytest.approx(index.search("洗濯機")[0].relevance, abs=0.2)
    assert first.parts["late"] > 0


def test_other_spellings_of_words_are_marked() -> None:
    assert highlight("東京の人口", "とうきょう") == [(0, 2)]
    assert highlight("犬を飼う", "いぬ") == [(0, 1)]


def test_the_words_come_with_their_licence() -> None:
    notice = Path(konayuki.search.__file__).with_name("words.NOTICE.md").read_text("utf-8")
    assert "CC BY-SA 4.0" in notice
    assert "Electronic Dictionary Research and Development Group" in notice
