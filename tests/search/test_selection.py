"""What phrases, exclusions and filters admit, against a look at every text."""

import random
import re
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from konayuki.choices import MODES, Mode
from konayuki.errors import InputError, NotFoundError
from konayuki.search import Condition, Index, Query
from konayuki.search.dates import date_of, read_period
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = HashEncoder()
EXTRA = [
    {"id": "w", "text": "富士\n山に登る。引っ越しの\u200b準備"},
    {"id": "half", "text": "ｻｰﾊﾞｰが止まった", "title": "ＡＢＣ－１２３４"},
    {"id": "latin", "text": "Concatenate PostgreSQL v1.2.3 and  C++"},
    {"id": "cat", "text": "My cat sleeps.", "heading": "cat > 猫のえさ"},
    {"id": "empty", "text": ""},
]


def folded(text: str) -> str:
    text = re.sub("\u200b", "", text)
    text = re.sub(r"(?<=[ぁ-ヿ一-鿿])\n(?=[ぁ-ヿ一-鿿])", "", text)
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def contains(record: dict[str, Any], phrase: str) -> bool:
    """The definition, character by character."""
    wanted = folded(phrase)
    for part in (record.get("title", ""), record.get("heading", ""), record["text"]):
        text = f" {folded(part)} "
        for place in range(len(text)):
            if text.startswith(wanted, place):
                around = (text[place - 1] + wanted[0], wanted[-1] + text[place + len(wanted)])
                if not any(pair.isascii() and pair.isalnum() for pair in around):
                    return True
    return False


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    return [*records(300, seed=11), *EXTRA]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, corpus: list[dict[str, Any]]):
    with Index.create(tmp_path_factory.mktemp("selection") / "i", MODEL) as index:
        index.add(corpus[:200])
        index.add(corpus[150:])
        index.delete(["d3", "d200"])
        yield index


def living(corpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in corpus if record["id"] not in {"d3", "d200"}]


def phrases() -> list[str]:
    source = random.Random(4)  # noqa: S311 - the same phrases in every run
    texts = [record["text"] for record in [*records(300, seed=11), *EXTRA] if record["text"]]
    cut = []
    for text in source.choices(texts, k=60):
        start = source.randrange(len(text))
        cut.append(text[start : start + source.randint(1, 9)])
    fixed = ["富士山", "引っ越し", "引越", "サーバー", "ｻｰﾊﾞｰ", "ABC-1234", "cat", "concat", "C++"]
    fixed += ["v1.2", "PostgreSQL", "猫のえさ"]
    return [*fixed, "cat sleeps", "山 に", "京都の", *cut]


@pytest.mark.parametrize("phrase", [p for p in phrases() if re.search(r"\w", p)])
def test_a_phrase_admits_the_texts_that_contain_it(index: Index, corpus, phrase: str) -> None:
    expected = {record["id"] for record in living(corpus) if contains(record, phrase)}
    everything = {record["id"] for record in living(corpus)}

    found = index.search(Query("", (phrase,)), k=1000)
    assert {hit.id for hit in found} == expected
    found = index.search(Query("", (), (phrase,)), k=1000)
    assert {hit.id for hit in found} == everything - expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("typed", ['京都 "の電車は"', "電車 -京都 -海", '"日本の" -"日本の犬" 犬'])
def test_admitted_rows_are_ranked_as_without_the_restriction(
    index: Index, corpus, mode: str, typed: str
) -> None:
    query = Query.parse(typed)
    records_by_id = {record["id"]: record for record in living(corpus)}
    admitted = [
        hit.id
        for hit in index.search(query.text, 1000, mode, distinct=False)
        if all(contains(records_by_id[hit.id], phrase) for phrase in query.phrases)
        and not any(contains(records_by_id[hit.id], phrase) for phrase in query.exclusions)
    ]

    assert len(admitted) > 12
    found = index.search(query, 10, mode, distinct=False)
    assert [hit.id for hit in found] == admitted[:10]


def test_few_admitted_rows_are_scored_like_many(index: Index, monkeypatch) -> None:
    query = Query.parse('電車 "京都の"')
    few = index.search(query, 20, "lexical")
    monkeypatch.setattr("konayuki.search.ranking._FEW_ROWS", 0)
    many = index.search(query, 20, "lexical")

    assert [hit.id for hit in few] == [hit.id for hit in many]
    assert [hit.score for hit in few] == pytest.approx([hit.score for hit in many], rel=1e-5)


NOTES = [
    ("nabe", {"tags": ["料理/和食", "冬"], "path": "notes/料理/鍋.md", "date": "2024-03-31"}),
    ("trip", {"tags": ["旅行"], "path": "notes/旅行/京都.md", "date": "2024-04-01T09:00:00+09:00"}),
    ("rules", {"path": "会社\\就業規則.PDF", "date": "2023年4月"}),
    ("minutes", {"path": "会社/議事録/0401.docx", "created": 20240401, "date": "不明"}),
    ("mail", {"path": "box.mbox", "tag": "Ryori", "date": "2025/1/2"}),
    ("none", {}),
]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory):
    with Index.create(tmp_path_factory.mktemp("notes") / "i", MODEL) as index:
        index.add({"id": name, "text": f"{name} の本文", "metadata": m} for name, m in NOTES)
        yield index


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("tag:料理", "nabe"),
        ("tag:料理,旅行", "trip nabe"),
        ("tag:料 ", ""),
        ("tag:#冬", "nabe"),
        ("tag:RYORI", "mail"),
        ("path:notes/", "trip nabe"),
        ("path:会社/", "minutes rules"),
        ("path:議事録", "minutes"),
        ("kind:pdf", "rules"),
        ("kind:.PDF,word", "minutes rules"),
        ("kind:mail", "mail"),
        ("after:2024-04", "mail trip minutes"),
        ("before:2024-04", "nabe rules"),
        ("after:2023 before:2024", "rules"),
        ("after:2024-04-01 before:2024-04-02", "trip minutes"),
        ("-path:会社", "mail trip nabe none"),
        ("-tag:料理 after:2024", "mail trip minutes"),
        ("tag:料理 tag:旅行", ""),
        ('path:notes "trip"', "trip"),
    ],
)
def test_filters_admit_by_metadata_the_newest_first(
    notes: Index, typed: str, expected: str
) -> None:
    assert [hit.id for hit in notes.search(Query.parse(typed))] == expected.split()


def test_filters_work_with_words_and_with_where(notes: Index) -> None:
    query = Query.parse("本文 path:notes")
    assert {hit.id for hit in notes.search(query)} == {"nabe", "trip"}
    assert [hit.id for hit in notes.search(query, where={"tags": "旅行"})] == ["trip"]
    assert notes.search(Query.parse("tag:料理"), k=0) == []
    assert len(notes.search(Query.parse("-tag:料理"), k=2)) == 2


def test_a_string_is_text_whatever_it_holds(notes: Index) -> None:
    assert len(notes.search("tag:料理 の本文", mode="lexical")) == len(NOTES)


def test_hits_are_sorted_by_date_on_request(notes: Index) -> None:
    hits = notes.search("本文", sort="date")
    assert [hit.id for hit in hits][:4] == ["mail", "trip", "minutes", "nabe"] or [
        hit.id for hit in hits
    ][:4] == ["mail", "minutes", "trip", "nabe"]
    assert date_of(hits[-1].metadata) is None
    with pytest.raises(InputError, match="expected one of score, date"):
        notes.search("本文", sort="size")  # type: ignore[arg-type]


def test_what_is_written_later_is_admitted_and_what_is_deleted_is_not(fresh) -> None:
    with Index.open(fresh(), MODEL) as index:
        for number in range(3):
            index.add([{"id": str(number), "text": "猫のえさ", "metadata": {"tags": ["x"]}}])
            assert len(index.search(Query("", ("猫のえさ",)))) == number + 1
            assert len(index.search(Query.parse("tag:x"))) == number + 1
        index.delete(["1"])
        assert {
            hit.id for hit in index.search(Query.parse('"猫のえさ" tag:x'), distinct=False)
        } == {
            "0",
            "2",
        }


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2024", "2024-01-01", "2025-01-01"),
        ("2024-12", "2024-12-01", "2025-01-01"),
        ("２０２４／２／２９", "2024-02-29", "2024-03-01"),
        ("2024年4月1日", "2024-04-01", "2024-04-02"),
        ("2024.4.1", "2024-04-01", "2024-04-02"),
        ("20240401", "2024-04-01", "2024-04-02"),
        ("9999-12-31", "9999-12-31", None),
    ],
)
def test_dates_are_read(text: str, first: str, end: str | None) -> None:
    if end is None:
        assert read_period(text) is None  # the day after it has no name
    else:
        assert read_period(text) == (date.fromisoformat(first), date.fromisoformat(end))


@pytest.mark.parametrize(
    "text", ["", "2023-02-29", "0000", "24-4-1", "2024-4/1", "2024-04-01x", "昨日"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_period(text) is None


def test_a_document_has_the_date_of_the_first_key_that_has_one() -> None:
    assert date_of({"date": "?", "created": "2024-04-01 10:00"}) == date(2024, 4, 1)
    assert date_of({"created": "2023", "date": 2024}) == date(2024, 1, 1)
    assert date_of({"date": True, "日付": ["2024"], "modified": 3.5}) is None


def test_similar_documents_are_those_of_other_files_unless_asked(fresh) -> None:
    texts = {
        "a#0": "富士山の高さは3776メートル",
        "a#1": "富士山の高さと登山道",
        "b#0": "富士山の高さを測る",
        "c#0": "味噌汁の作り方",
    }
    with Index.open(fresh(), MODEL) as index:
        index.add({"id": key, "text": text, "chunk_of": key[0]} for key, text in texts.items())
        assert [hit.id for hit in index.similar("a#0")] == ["b#0", "c#0"]
        assert [hit.id for hit in index.similar("a#0", 1, same_document=True)] != ["a#0"]
        assert {hit.id for hit in index.similar("a#0", same_document=True)} == {"a#1", "b#0", "c#0"}
        with pytest.raises(NotFoundError):
            index.similar("nothing")
        with pytest.raises(InputError):
            index.similar("a#0", -1)


def test_a_condition_is_a_value() -> None:
    assert Condition("tag", ("a",)) == Condition("tag", ("a",), excluded=False)


def test_the_kinds_of_files_are_those_that_can_be_read(tmp_path: Path) -> None:
    from konayuki.ingest.kinds import SUFFIXES
    from konayuki.search.selection import KIND_SUFFIXES

    known = {suffix.lstrip(".") for suffix in SUFFIXES}
    assert {suffix for suffixes in KIND_SUFFIXES.values() for suffix in suffixes} <= known


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_the_newest_of_all_that_match_come_first(tmp_path: Path, mode: Mode) -> None:
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 7) for day in range(1, 29)]
    filler = "倉庫の鍵を返した。帰りに雨が降った。" * 8
    with Index.create(tmp_path / "i") as index:
        index.add(
            {
                "id": day,
                "text": f"{filler}会議の記録。{day}" if day > "2024-06" else f"会議の記録。{day}",
                "metadata": {"date": day, "month": day[:7]},
            }
            for day in days
        )
        index.add([{"id": "other", "text": "猫が眠る。", "metadata": {"date": "2025-01-01"}}])
        index.add([{"id": "undated", "text": "会議の記録。"}])
        newest = sorted(days, reverse=True)
        assert [hit.id for hit in index.search("会議の記録", 5, mode, sort="date")] == newest[:5]
        hits = index.search("会議の記録", 2, mode, where={"month": "2024-03"}, sort="date")
        assert [hit.id for hit in hits] == ["2024-03-28", "2024-03-27"]
        hits = index.search(Query.parse("会議 before:2024-02"), 1, mode, sort="date")
        assert [hit.id for hit in hits] == ["2024-01-28"]
        index.add(
            [{"id": "copy", "text": f"会議の記録。{days[0]}", "metadata": {"date": "2024-09-09"}}]
        )
        hits = index.search("会議の記録", 500, mode, sort="date", distinct=True)
        assert hits[0].id == "copy" and days[0] not in {hit.id for hit in hits}
        everything = index.search("会議の記録", 500, mode, sort="date")
        assert everything[-1].id == "undated"
        assert "other" not in {hit.id for hit in everything}
        if mode == "hybrid":  # nothing matches: the best, by date
            assert len(index.search("qqqq", 3, sort="date")) == 3
