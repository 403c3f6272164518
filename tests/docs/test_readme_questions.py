"""What the pages ask of the sample corpus has an answer there, and it comes first."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from konayuki import Index
from konayuki.ingest import update

ROOT = Path(__file__).parents[2]
TUTORIALS = ("docs/tutorial/first-search.md", "docs/ja/tutorial/first-search.md")
PAGES = ("README.md", "README.ja.md", *TUTORIALS)
ASKED = re.compile(r'^konayuki search demo\.konayuki "([^"]+)"', re.M)
ANSWERS = {
    line["question"]: line["heading"]
    for line in map(json.loads, (ROOT / "demo/questions.jsonl").read_text("utf-8").splitlines())
}
ANSWERS["訪問販売 クーリングオフ"] = "訪問販売のクーリングオフ"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("demo") / "demo.konayuki") as index:
        update(index, [ROOT / "demo" / "corpus"])
        yield index


@pytest.mark.parametrize("page", PAGES)
def test_the_first_hit_answers_the_question_of_a_page(demo: Index, page: str) -> None:
    questions = ASKED.findall((ROOT / page).read_text("utf-8"))

    assert questions
    for question in questions:
        assert demo.search(question, k=1)[0].heading == ANSWERS[question]


@pytest.mark.parametrize("page", TUTORIALS)
def test_words_alone_miss_the_first_question_of_the_tutorial(demo: Index, page: str) -> None:
    question = ASKED.findall((ROOT / page).read_text("utf-8"))[0]

    assert demo.search(question, k=1, mode="lexical")[0].heading != ANSWERS[question]
