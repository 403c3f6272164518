"""Words that a passage is found by although its text does not have them."""

from pathlib import Path

import pytest

from konayuki.ingest import update
from konayuki.ingest.keywords import Readings, file_words, with_keywords
from konayuki.ingest.lines import Lines
from konayuki.ingest.records import records_of
from konayuki.search import Index
from search.stand_in import HashEncoder


@pytest.fixture
def index(fresh):
    with Index.open(fresh("index"), HashEncoder()) as index:
        yield index


def lexical(index: Index, query: str) -> list[str]:
    return [hit.id for hit in index.search(query, mode="lexical")]


def test_files_are_found_by_their_names_and_folders(index: Index, tmp_path: Path):
    (tmp_path / "家計" / "公共料金").mkdir(parents=True)
    table = tmp_path / "家計" / "公共料金" / "電気代2024.csv"
    table.write_text("月,金額\n1月,8532円\n2月,9120円\n", "utf-8")
    note = tmp_path / "家計" / "健診.md"
    note.write_text("# お知らせ\n五月十日の予定。", "utf-8")
    update(index, [tmp_path])
    assert len(lexical(index, "電気代")) == 2
    assert len(lexical(index, "公共料金")) == 2
    assert lexical(index, "健診") == [f"{note.as_posix()}#0"]
    hit = index.search("家計", mode="lexical")[0]
    assert "家計" not in f"{hit.title}{hit.heading}{hit.text}"


def test_names_above_the_folder_that_was_named_say_nothing():
    assert file_words("/home/a/notes/議事録/2024/四月.md", "/home/a/notes") == [
        "議事録",
        "2024",
        "四月",
    ]
    assert file_words("/home/a/四月.md") == ["四月"]
    assert file_words("議事録/四月.md", ".") == ["議事録", "四月"]


def test_words_that_underscores_join_are_found(index: Index, tmp_path: Path):
    (tmp_path / "2024-05-10_budget_最終.md").write_text("# お知らせ\n変更はない。", "utf-8")
    (tmp_path / "plan_b.txt").write_text("雨なら延期する。", "utf-8")  # its name is its title
    update(index, [tmp_path])
    for query in ("budget", "2024-05-10", "budget_最終", "最終"):
        assert lexical(index, query)[0].endswith("budget_最終.md#0"), query
    assert lexical(index, "plan")[0].endswith("plan_b.txt#0")
    assert lexical(index, "plan_b")[0].endswith("plan_b.txt#0")


def test_readings_are_found_and_the_text_stays(index: Index, tmp_path: Path):
    page = "<p><ruby>薔薇<rt>ばら</ruby>と<ruby>檸<rt>れ</rt>檬<rt>もん</rt></ruby>。</p>"
    (tmp_path / "a.html").write_text(f"{page}<p hidden><ruby>罠<rt>わな</ruby>", "utf-8")
    update(index, [tmp_path])
    (hit,) = index.search("れもん", mode="lexical")
    assert (hit.text, lexical(index, "ばら")) == ("薔薇と檸檬。", [hit.id])
    assert hit.metadata["keywords"] == ["ばら れもん"]


def test_readings_belong_to_the_passages_that_have_the_word():
    readings = Readings([("薔薇", "ばら"), ("檸檬", "れもん"), ("薔", "ば")])
    assert readings.of("檸檬の木") == ["れもん"]
    assert readings.of("薔薇の木") == ["ば", "ばら"]
    assert Readings([]).of("薔薇") == []


def test_keywords_of_the_writer_stay_and_nothing_is_said_twice():
    own = {"keywords": "温泉", "a": 1}
    assert with_keywords(own, ["旅行", "ﾒﾓ"], ["メモ"]) == {"keywords": ["温泉", "旅行"], "a": 1}
    assert with_keywords({"keywords": ["温泉"]}, ["メモ"], ["メモ帳"]) == {"keywords": ["温泉"]}


def test_keywords_of_any_document_are_searched(index: Index):
    index.add([{"id": "a", "text": "本文", "metadata": {"keywords": ["別名", 5, None]}},
               {"id": "b", "text": "本文", "metadata": {"keywords": {"別": "名"}}}])  # fmt: skip
    assert lexical(index, "別名") == ["a"]


def test_passages_know_their_lines():
    text = "# 甲\n\n一つ。\n\n## 乙\n[[二|に]]つ。\n三つ。\n\n## 丙\n一つ。\n"
    records = list(records_of(text.replace("\n", "\r\n").encode(), "a.md"))
    assert [(record["text"], record["metadata"]["line"]) for record in records] == [
        ("一つ。", 3), ("につ。\n三つ。", 3), ("一つ。", 10),
    ]  # fmt: skip
    (row,) = records_of("text\n本文\n".encode(), "a.csv")
    assert row["metadata"]["line"] == 2


def test_lines_are_found_in_order_with_overlap():
    lines = Lines("あ\nい\nあ\nう", overlap=2)
    assert [lines.of(passage) for passage in ("あ\nい", "い\nあ", "あ\nう")] == [1, 2, 3]
