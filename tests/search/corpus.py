"""Small Japanese documents for tests, the same in every run."""

import random
from collections.abc import Sequence
from typing import Any

_SUBJECTS = [
    "富士山",
    "琵琶湖",
    "味噌汁",
    "憲法",
    "電車",
    "銀河",
    "病院",
    "野球",
    "俳句",
    "サーバー",
    "犬",
    "python",
]
_VERBS = [
    "高い",
    "美しい",
    "おいしい",
    "難しい",
    "速い",
    "遠い",
    "静かだ",
    "楽しい",
    "fast",
    "重要である",
]
_PLACES = ["日本", "京都", "北海道", "宇宙", "学校", "東京", "海", "山", "町", "2024年"]


def sentence(source: random.Random) -> str:
    place, subject, verb = (source.choice(words) for words in (_PLACES, _SUBJECTS, _VERBS))
    return f"{place}の{subject}は{verb}。"


def record(number: int, source: random.Random) -> dict[str, Any]:
    return {
        "id": f"d{number}",
        "text": "".join(sentence(source) for _ in range(source.randint(1, 4))),
        "title": source.choice(["", source.choice(_SUBJECTS)]),
        "metadata": {
            "lang": source.choice(["ja", "en"]),
            "year": source.choice([2023, 2024, 2025]),
        },
    }


def records(count: int, seed: int = 0) -> list[dict[str, Any]]:
    source = random.Random(seed)  # noqa: S311 - the same texts in every run
    return [record(number, source) for number in range(count)]


def queries(count: int, seed: int = 1) -> Sequence[str]:
    source = random.Random(seed)  # noqa: S311 - the same texts in every run
    return [sentence(source) for _ in range(count)]
