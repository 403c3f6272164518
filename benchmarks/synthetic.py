"""Pseudo-Japanese passages, the same in every run, for machines without the shared data folder.

Sentences of pseudo-words whose frequencies fall as those of real words do (Zipf), about 240
characters a passage. They mean nothing: only times are measured on them.
"""

import random
from itertools import accumulate

KANJI = (
    "日本国会社人年大学生東京中小長高山川田水火木金土時分間前後新古語文字数理科医食車電気海空道町村"
)
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロン"
PARTICLES = ["は", "が", "を", "に", "で", "の", "と", "も", "から", "まで"]
ENDINGS = ["である。", "した。", "している。", "されている。", "になる。", "ではない。"]


class Language:
    """Pseudo-words with Zipf frequencies."""

    def __init__(self, source: random.Random, n_words: int = 20_000) -> None:
        self.source = source
        self.words = [self._word() for _ in range(n_words)]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(n_words)))

    def passage(self) -> str:
        """Return about 200 characters of sentences."""
        return "".join(self._sentence() for _ in range(self.source.randint(6, 11)))

    def question(self, passage: str) -> str:
        """Return some words of a passage, and one of another."""
        start = self.source.randrange(max(1, len(passage) - 12))
        return f"{passage[start : start + 12]}{self._draw(1)[0]}とは"

    def _sentence(self) -> str:
        words = self._draw(self.source.randint(4, 8))
        return "".join(
            word + self.source.choice(PARTICLES) for word in words[:-1]
        ) + words[-1] + self.source.choice(ENDINGS)  # fmt: skip

    def _draw(self, count: int) -> list[str]:
        return self.source.choices(self.words, cum_weights=self._weights, k=count)

    def _word(self) -> str:
        letters = self.source.choice([KANJI, KANJI, KATAKANA])
        return "".join(self.source.choices(letters, k=self.source.randint(2, 4)))


def texts(n_passages: int, n_questions: int) -> tuple[list[str], list[str]]:
    """Return passages, and questions of a few words of one passage each."""
    language = Language(random.Random(0))  # noqa: S311 - the same texts in every run
    passages = [language.passage() for _ in range(n_passages)]
    questions = [language.question(language.source.choice(passages)) for _ in range(n_questions)]
    return passages, questions
