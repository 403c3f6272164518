"""The demo corpus and its questions keep the promises that demo/README.md makes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"
# Hiragana is left out: particles and endings are shared by any two Japanese sentences.
CONTENT_RUN = re.compile(r"[\u4e00-\u9fff々ァ-ヺー]+")


class Passage(NamedTuple):
    file: str
    heading: str
    text: str


def passages_of(path: Path) -> list[Passage]:
    _, *sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    split = (section.partition("\n") for section in sections)
    return [Passage(path.name, heading.strip(), text.strip()) for heading, _, text in split]


def content_bigrams(text: str) -> set[str]:
    runs = CONTENT_RUN.findall(text)
    return {run[at : at + 2] for run in runs for at in range(len(run) - 1)}


def containment(question: str, answer: str) -> float:
    """Return the share of the question's bigrams that the answer holds; 0.0 when it has none."""
    bigrams = content_bigrams(question)
    return len(bigrams & content_bigrams(answer)) / len(bigrams) if bigrams else 0.0


FILES = sorted((DEMO / "corpus").glob("*.md"))
PASSAGES = [passage for path in FILES for passage in passages_of(path)]
QUESTIONS = [
    json.loads(line) for line in (DEMO / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_PLACE = {(passage.file, passage.heading): passage for passage in PASSAGES}


def repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_overlap_counts_kanji_and_katakana_pairs_only() -> None:
    assert content_bigrams("電車が、ゆれる。メモ") == {"電車", "メモ"}
    assert containment("電車のメモ", "電車") == 0.5
    assert containment("ゆれる", "電車") == 0.0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_has_one_title_and_nine_or_more_passages(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert re.fullmatch(r"# \S.*\n\n", text.partition("## ")[0])
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    assert 9 <= len(passages_of(path)) <= 13


def test_corpus_is_as_large_as_promised() -> None:
    assert len(FILES) >= 14
    assert len(PASSAGES) >= 150


def test_readme_states_the_true_number_of_passages() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")

    assert f"{len(PASSAGES)} passages in {len(FILES)} files" in readme


def test_passages_are_one_short_paragraph_of_whole_sentences() -> None:
    wrong = [
        (passage.file, passage.heading, len(passage.text))
        for passage in PASSAGES
        if not (
            90 <= len(passage.text) <= 120
            and "\n" not in passage.text
            and passage.text.endswith("。")
            and 2 <= passage.text.count("。") <= 4
        )
    ]

    assert wrong == []


def test_no_heading_and_no_passage_appears_twice() -> None:
    # Headings are unique over the whole corpus, so a hit can be shown by its heading alone.
    assert repeated([passage.heading for passage in PASSAGES]) == []
    assert repeated([passage.text for passage in PASSAGES]) == []


def test_no_two_passages_are_near_copies() -> None:
    sets = [content_bigrams(passage.text) for passage in PASSAGES]
    close = [
        (PASSAGES[left].heading, PASSAGES[right].heading)
        for right in range(len(sets))
        for left in range(right)
        if len(sets[left] & sets[right]) > 0.5 * len(sets[left] | sets[right])
    ]

    assert close == []


def test_there_are_forty_questions_with_the_documented_fields() -> None:
    assert [question["id"] for question in QUESTIONS] == [f"q{n:02d}" for n in range(1, 41)]
    assert all(list(q) == ["id", "question", "file", "heading"] for q in QUESTIONS)
    assert repeated([question["question"] for question in QUESTIONS]) == []


def test_each_question_names_an_existing_passage_of_its_own() -> None:
    places = [(question["file"], question["heading"]) for question in QUESTIONS]

    assert [place for place in places if place not in BY_PLACE] == []
    assert len(set(places)) == len(places)


def test_questions_reach_every_subject() -> None:
    assert {question["file"] for question in QUESTIONS} == {path.name for path in FILES}


def test_questions_share_few_words_with_their_answers() -> None:
    overlaps = []
    for question in QUESTIONS:
        answer = BY_PLACE[question["file"], question["heading"]]
        overlaps.append(containment(question["question"], f"{answer.heading}\n{answer.text}"))

    assert sum(overlaps) / len(overlaps) < 0.15
    assert sum(overlap == 0 for overlap in overlaps) >= 25
