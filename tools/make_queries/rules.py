"""Queries made from passages by rule: inverse cloze, and sentences turned into questions.

A rule looks at one sentence and gives nothing rather than a guess. What it makes is worded as
people ask (「Yは誰ですか」, 「…のはいつですか」), and the answer is left out of the question, so
that the words of query and passage differ at the point that matters.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from konayuki.errors import InputError

CLOSERS = {"「": "」", "『": "』", "（": "）", "(": ")", "【": "】", "《": "》"}
SENTENCE_ENDS = "。！？!?"

PERSON = re.compile(
    r"(人物|武将|大名|公家|公卿|皇族|天皇|皇后|皇女|皇子|親王|僧|僧侶|尼僧|選手|監督|俳優|女優|歌手|歌人"
    r"|俳人|詩人|華族|学者|官僚|貴族|軍人|藩主|将軍|知事|市長|首相|大統領|国王|女王|皇帝|教授|力士|棋士"
    r"|声優|議員|大臣|[^器]官|師|[^国王武公商農民大一本分宮実両]家|[^学記医業著患読両前後打]者"
    r"|アイドル|アナウンサー|ジャーナリスト|タレント|デザイナー|プロデューサー|ミュージシャン|モデル|ライター)$"
)
PLACE = re.compile(
    r"([^都]市|町|村|区|県|府|州|郡|地域|地方|地区|島|半島|山|川|湖|湾|駅|寺|寺院|神社|城|公園"
    r"|大学|学校|高校|博物館|美術館|共和国|王国|国家|島国)$"
)
POINTING = re.compile(
    r"^(これ|それ|あれ|ここ|そこ|この|その|あの|本項|本稿|当|同|また|なお|しかし|さらに|そして|だが"
    r"|ただし|彼|彼女|以下|下記|上記)"
)
NAME = re.compile(r"^(?:[ぁ-んー]{3,}|[^ぁ-ん]{2,}(?:の[^ぁ-ん]{2,})?)$")
DEFINITION = re.compile(
    r"^(?P<name>[^、，。は]{2,30}?)(?:とは|は)、(?P<what>[^。]{6,70}?)(?:である|のこと|のことである|をいう)?。$"
)
DATED = re.compile(
    r"^(?:\d{3,4}年(?:\d{1,2}月)?(?:\d{1,2}日)?|\d{1,2}月(?:\d{1,2}日)?|\d{1,2}日)"
    r"(?:には、?|に、?|、)(?P<event>(?!は)[^。]{10,70}た)。$"
)
DATE = re.compile(r"\d+[年月日]")
COUNTED = re.compile(
    r"(?:約|およそ|計|合計|全|全部で)?(?<![\d,.])(?P<number>\d[\d,.万億兆千百]*)"
    r"(?P<unit>人|名|歳|回|冊|個|台|本|頭|羽|社|校|両|隻|基|件|種類|か国|カ国|ヶ国|か所|カ所|ヶ所|km2|km|m|kg"
    r"|メートル|キロメートル|ドル|円|パーセント|%|％)"
    r"(?=[のがをにでとへ、。]|だ|以上|以下|程度|ほど)"
)
SUBJECT = re.compile(r"^(?P<subject>[^、，。は]{2,30}?)は、?(?P<predicate>[^。]{12,70}た)。$")
PARENTHESES = re.compile(r"（[^（）]*）|\([^()]*\)")
ENDINGS: tuple[tuple[str, str], ...] = (
    ("であった", "でしたか"),
    ("だった", "でしたか"),
    ("である", "ですか"),
    ("となっている", "となっていますか"),
    ("している", "していますか"),
    ("されている", "されていますか"),
    ("た", "たのですか"),
    ("る", "るのですか"),
)


RULES = ("heading", "what", "meaning", "when", "how-many", "who", "cloze")


@dataclass(frozen=True)
class Limits:
    """Which sentences may become queries, in characters."""

    shortest: int = 12
    longest: int = 80
    shortest_passage: int = 40


@dataclass(frozen=True)
class SyntheticPair:
    """A query made from a passage, and the rule that made it."""

    query: str
    positive: str
    rule: str


def split_sentences(passage: str) -> list[str]:
    """Return the sentences of `passage` with their ends, in order; quotations stay whole."""
    sentences, start, waiting = [], 0, ""
    for place, character in enumerate(passage):
        if character in CLOSERS:
            waiting += CLOSERS[character]
        elif waiting and character == waiting[-1]:
            waiting = waiting[:-1]
        elif character == "\n" or (character in SENTENCE_ENDS and not waiting):
            sentences.append(passage[start : place + 1].strip())
            start, waiting = place + 1, ""
    sentences.append(passage[start:].strip())
    return [sentence for sentence in sentences if sentence]


def inverse_cloze(
    passage: str, generator: np.random.Generator, *, limits: Limits = Limits(), kept: float = 0.1
) -> SyntheticPair | None:
    """Return one sentence of `passage` as the query of the rest, or None if nothing is suitable.

    In a share `kept` of the cases the sentence stays in the passage, so that a model also learns
    that the same words mean the same.
    """
    sentences = split_sentences(passage)
    fit = [
        place
        for place, sentence in enumerate(sentences)
        if limits.shortest <= len(sentence) <= limits.longest and not POINTING.match(sentence)
    ]
    if not fit:
        return None
    chosen = fit[int(generator.integers(len(fit)))]
    left = sentences if generator.random() < kept else sentences[:chosen] + sentences[chosen + 1 :]
    rest = "".join(left)
    if len(rest) < limits.shortest_passage:
        return None
    return SyntheticPair(sentences[chosen].rstrip("。"), rest, "cloze")


def ask_what(sentence: str) -> list[str]:
    """Return the question for the subject of a definition: 「XはYである。」 -> 「Yは何ですか」."""
    return [f"{what}は{_question_word(what)}ですか" for _, what in _definitions(sentence)]


def ask_meaning(sentence: str) -> list[str]:
    """Return the question for what a definition says: 「Xは、Yである。」 -> 「Xとは何ですか」."""
    return [
        f"{name}とは{'誰' if PERSON.search(what) else '何'}ですか"
        for name, what in _definitions(sentence)
    ]


def ask_when(sentence: str) -> list[str]:
    """Return a question for the date: 「1929年、XはYした。」 -> 「XがYしたのはいつですか」."""
    match = DATED.match(PARENTHESES.sub("", sentence))
    if match is None or DATE.search(match["event"]) or not re.search("[はが]", match["event"]):
        return []
    return [] if POINTING.match(match["event"]) else [f"{_as_clause(match['event'])}のはいつですか"]


def ask_how_many(sentence: str) -> list[str]:
    """Return a question for the only amount: 「人口は約12万人である。」 -> 「人口は何人ですか」."""
    plain = PARENTHESES.sub("", sentence)
    numbers = list(COUNTED.finditer(plain))
    if len(numbers) != 1 or POINTING.match(plain) or not 12 <= len(plain) <= 70:
        return []
    number = numbers[0]
    before, after = plain[: number.start()], plain[number.end() :].removesuffix("。")
    if "は" not in before or "、" in after or len(after) > 25 or before.endswith(("-", "–", "～")):
        return []
    return _with_question_ending(f"{before}{_amount(number['unit'])}{after}")


def ask_who(sentence: str, *, people: Container[str]) -> list[str]:
    """Return a question for a subject among `people`: 「XはYした。」 -> 「Yしたのは誰ですか」."""
    match = SUBJECT.match(PARENTHESES.sub("", sentence))
    if match is None or match["subject"] not in people or match["subject"] in match["predicate"]:
        return []
    return [f"{match['predicate']}のは誰ですか"]


def people_of(passages: Iterable[str]) -> set[str]:
    """Return the names that the first sentence of a passage defines as those of people."""
    firsts = (split_sentences(passage)[:1] for passage in passages)
    defined = (pair for first in firsts for sentence in first for pair in _definitions(sentence))
    return {name for name, what in defined if PERSON.search(what)}


def ask_about_heading(heading: str) -> list[str]:
    """Return a question for a title of two parts: 「市 歴史」 -> 「市の歴史について…」."""
    parts = heading.split(" ")
    if len(parts) != 2 or not all(2 <= len(part) <= 20 for part in parts):
        return []
    name, part = parts
    if part in ("概要", "概説"):
        return [f"{name}とはどのようなものですか"]
    return [f"{name}の{part}について教えてください"]


def questions_of(
    passage: str, *, heading: str = "", people: Container[str] = ()
) -> list[SyntheticPair]:
    """Return every question that the rules find in `passage`, each once, in reading order.

    A definition counts in the first sentence only: further down, the subject is seldom a name.
    """
    found: dict[str, str] = dict.fromkeys(ask_about_heading(heading), "heading")
    for place, sentence in enumerate(split_sentences(passage)):
        if place == 0:
            found.update(dict.fromkeys(ask_what(sentence), "what"))
            found.update(dict.fromkeys(ask_meaning(sentence), "meaning"))
        found.update(dict.fromkeys(ask_when(sentence), "when"))
        found.update(dict.fromkeys(ask_how_many(sentence), "how-many"))
        found.update(dict.fromkeys(ask_who(sentence, people=people), "who"))
    return [SyntheticPair(query, passage, rule) for query, rule in found.items()]


def synthesize(
    passages: Sequence[str],
    headings: Sequence[str],
    *,
    seed: int = 0,
    at_most: int = 3,
    rules: Sequence[str] = RULES,
) -> Iterator[SyntheticPair]:
    """Yield pairs from each passage: up to `at_most` questions, and one inverse cloze.

    The same arguments give the same pairs. If there are more questions than `at_most`, they are
    drawn by `seed`. An empty heading makes no question.

    Raises:
        InputError: One of `rules` is not among RULES.
    """
    if unknown := set(rules) - set(RULES):
        raise InputError(f"unknown rules {sorted(unknown)}, expected some of {', '.join(RULES)}")
    generator = np.random.default_rng(seed)
    people = people_of(passages)
    for passage, heading in zip(passages, headings, strict=True):
        questions = [
            pair
            for pair in questions_of(passage, heading=heading, people=people)
            if pair.rule in rules
        ]
        drawn = sorted(generator.permutation(len(questions))[:at_most].tolist())
        yield from (questions[row] for row in drawn)
        cloze = inverse_cloze(passage, generator)
        if cloze is not None and cloze.rule in rules:
            yield cloze


def _definitions(sentence: str) -> list[tuple[str, str]]:
    """Return the name and the meaning of a definition; nothing if either is doubtful."""
    match = DEFINITION.match(PARENTHESES.sub("", sentence))
    if match is None:
        return []
    name, what = match["name"], match["what"]
    vague = POINTING.match(name) or not NAME.match(name) or name in what
    return [] if vague or re.search(r"[ぁ-ん\d]$", what) else [(name, what)]


def _question_word(what: str) -> str:
    if PERSON.search(what):
        return "誰"
    return "どこ" if PLACE.search(what) else "何"


def _as_clause(event: str) -> str:
    """Return `event` with its topic as a subject, as inside 「…のは」."""
    head, mark, tail = event.partition("は")
    if not mark or "、" in head[:-1] or head.endswith(("に", "で", "から", "まで", "と", "も")):
        return event
    return f"{head}が{tail.removeprefix('、')}"


def _amount(unit: str) -> str:
    return "いくら" if unit in ("円", "ドル") else f"何{unit}"


def _with_question_ending(statement: str) -> list[str]:
    for ending, question in ENDINGS:
        if statement.endswith(ending):
            return [statement.removesuffix(ending) + question]
    return [f"{statement}ですか"] if statement.endswith(("人", "名", "個", "台", "回")) else []
