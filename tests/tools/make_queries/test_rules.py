import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.errors import InputError
from make_queries.rules import (
    Limits,
    ask_about_heading,
    ask_how_many,
    ask_meaning,
    ask_what,
    ask_when,
    ask_who,
    inverse_cloze,
    people_of,
    questions_of,
    split_sentences,
    synthesize,
)

PASSAGE = (
    "児島惟謙（こじまこれかた）は、明治期の司法官。1892年に児島が大審院長を辞職した。"
    "児島惟謙は大津事件の裁判で政府の干渉を退けた。蔵書は約3万冊である。"
)


def test_sentences_end_outside_of_quotations() -> None:
    text = "彼は「行く。必ず！」と言った。雨だ\n（注。）終わり"

    assert split_sentences(text) == ["彼は「行く。必ず！」と言った。", "雨だ", "（注。）終わり"]


@given(st.text("あ。「」（）！\nx", max_size=30))
def test_sentences_hold_every_character_that_is_not_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("ask", "sentence", "questions"),
    [
        (ask_what, "児島惟謙は、明治期の司法官。", ["明治期の司法官は誰ですか"]),
        (
            ask_what,
            "仙台市は、宮城県の県庁所在地である市である。",
            ["宮城県の県庁所在地である市はどこですか"],
        ),
        (
            ask_what,
            "検断沙汰とは、中世の刑事訴訟の手続である。",
            ["中世の刑事訴訟の手続は何ですか"],
        ),
        (ask_what, "これは、明治期の司法官である。", []),
        (ask_what, "初期の演出では、音楽と照明の効果。", []),
        (ask_what, "京都府は、京都府を中心とする地域。", []),
        (ask_what, "当社は、深さ43の数字で終わる文43。", []),
        (ask_meaning, "敬称とは、相手への敬意を示す呼称。", ["敬称とは何ですか"]),
        (ask_meaning, "児島惟謙（こじま）は、明治期の司法官。", ["児島惟謙とは誰ですか"]),
        (ask_meaning, "敬称とは、相手への敬意を示すもの。", []),
        (
            ask_when,
            "1929年、仲木貞一は葉子を坪内に紹介した。",
            ["仲木貞一が葉子を坪内に紹介したのはいつですか"],
        ),
        (
            ask_when,
            "1892年5月3日に児島が大審院長を辞職した。",
            ["児島が大審院長を辞職したのはいつですか"],
        ),
        (
            ask_when,
            "1999年には自らの私財を投じて財団が生まれた。",
            ["自らの私財を投じて財団が生まれたのはいつですか"],
        ),
        (ask_when, "1999年は雨が多く収穫が少なかった。", []),
        (ask_when, "1929年の選挙では労働党が多数を占めた。", []),
        (ask_when, "1929年、1931年の規則が早められて発効した。", []),
        (ask_how_many, "館内の蔵書は約3万冊である。", ["館内の蔵書は何冊ですか"]),
        (ask_how_many, "市の人口は54万7,682人であった。", ["市の人口は何人でしたか"]),
        (ask_how_many, "入場料は2,000円となっている。", ["入場料はいくらとなっていますか"]),
        (ask_how_many, "この館の蔵書は約3万冊である。", []),
        (ask_how_many, "蔵書は3万冊で利用者は20人である。", []),
        (ask_how_many, "利用者は5人扶持を与えられる者である。", []),
    ],
)
def test_a_rule_asks_what_is_expected_or_nothing(
    ask: object, sentence: str, questions: list[str]
) -> None:
    assert callable(ask)
    assert ask(sentence) == questions


def test_who_asks_only_for_people_named_elsewhere() -> None:
    sentence = "児島惟謙は大津事件の裁判で政府の干渉を退けた。"

    assert people_of([PASSAGE, "敬称とは、相手への敬意を示す呼称。"]) == {"児島惟謙"}
    assert ask_who(sentence, people={"児島惟謙"}) == [
        "大津事件の裁判で政府の干渉を退けたのは誰ですか"
    ]
    assert ask_who(sentence, people={"大津"}) == []


def test_headings_of_two_parts_become_questions() -> None:
    assert ask_about_heading("舞鶴市 商圏") == ["舞鶴市の商圏について教えてください"]
    assert ask_about_heading("茵 概要") == []  # a name of one character is too short
    assert ask_about_heading("防具 概要") == ["防具とはどのようなものですか"]
    assert ask_about_heading("舞鶴市") == []


def test_questions_of_a_passage_come_in_reading_order_with_their_rules() -> None:
    found = questions_of(PASSAGE, heading="児島惟謙 生涯", people={"児島惟謙"})

    assert [(pair.rule, pair.query) for pair in found] == [
        ("heading", "児島惟謙の生涯について教えてください"),
        ("what", "明治期の司法官は誰ですか"),
        ("meaning", "児島惟謙とは誰ですか"),
        ("when", "児島が大審院長を辞職したのはいつですか"),
        ("who", "大津事件の裁判で政府の干渉を退けたのは誰ですか"),
    ]
    assert {pair.positive for pair in found} == {PASSAGE}


@given(st.integers(0, 1000))
def test_a_cloze_is_a_sentence_and_the_rest_of_its_passage(seed: int) -> None:
    limits = Limits(shortest=5, shortest_passage=10)
    pair = inverse_cloze(PASSAGE, np.random.default_rng(seed), limits=limits, kept=0.3)

    assert pair is not None
    whole = pair.query + "。"
    assert whole in split_sentences(PASSAGE)
    assert pair.positive in (PASSAGE, PASSAGE.replace(whole, ""))


def test_a_cloze_keeps_its_sentence_in_the_stated_share() -> None:
    generator = np.random.default_rng(0)
    found = [inverse_cloze(PASSAGE, generator, kept=0.25) for _ in range(2000)]
    share = sum(pair is not None and pair.positive == PASSAGE for pair in found) / len(found)

    assert share == pytest.approx(0.25, abs=0.03)


def test_a_passage_of_one_or_of_unfit_sentences_gives_no_cloze() -> None:
    generator = np.random.default_rng(0)

    assert inverse_cloze("短い。", generator) is None
    assert inverse_cloze("ただ一つの文だけからなる段落である。", generator, kept=0.0) is None
    assert inverse_cloze("これは指し示す言葉で始まる文である。" * 5, generator) is None


def test_the_same_seed_gives_the_same_pairs_within_the_limit() -> None:
    passages, headings = [PASSAGE] * 20, ["児島惟謙 生涯"] * 20
    first = list(synthesize(passages, headings, seed=4, at_most=2))

    assert first == list(synthesize(passages, headings, seed=4, at_most=2))
    assert first != list(synthesize(passages, headings, seed=5, at_most=2))
    assert sum(pair.rule != "cloze" for pair in first) == 40


def test_only_the_named_rules_speak_and_unknown_ones_are_refused() -> None:
    assert {pair.rule for pair in synthesize([PASSAGE], [""], rules=("when",))} == {"when"}
    with pytest.raises(InputError, match=r"unknown rules \['why'\], expected some of heading"):
        list(synthesize([PASSAGE], [""], rules=("why",)))
