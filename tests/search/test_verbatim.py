"""Short queries that are the name of a file, a phrase, or a word that was typed in part."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from konayuki.ingest import update
from konayuki.search import Document, Index, highlight, verbatim
from konayuki.search.ranking import Ranked, SecondLook
from konayuki.search.spelling import is_mistyped
from konayuki.search.terms import completed

NOTES = {
    "家/電気代.csv": "月: 1月\n\n金額: 9800",
    "家/電気代2024.csv": "月: 1月\n\n金額: 13820",
    "家/節約.md": "電気代を減らすには、電気代の高い時間を避ける。電気代の内訳を見る。",
    "家/買い物.md": "猫砂、えさ、牛乳、犬のえさ皿。",
    "家/猫.md": "駅前の店で、猫のえさと砂をまとめて買う。雨の日は休み。",
    "家/病院.md": "猫の予防接種。えさを減らすように言われた。",
    "料理/とまと.txt": "とまとのスープは冷やしても美味しい。",
    "料理/庭.md": "トマトの苗を三本植えた。",
    "仕事/db.md": "PostgreSQLの設定を変えた。接続数は200。",
    "仕事/pm.md": "Postmanで試す。",
    "仕事/java.md": "Javaの例外を調べる。",
    "仕事/js.md": "JavaScriptで書く。",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("verbatim") / "i") as index:
        index.add(
            {
                "id": path,
                "text": text,
                "metadata": {"path": path, "keywords": [path.rpartition("/")[2].partition(".")[0]]},
            }
            for path, text in NOTES.items()
        )
        yield index


def found(index: Index, query: str, k: int = 3, **options: object) -> list[str]:
    return [hit.id for hit in index.search(query, k, **options)]  # type: ignore[arg-type]


def test_a_file_with_the_name_comes_first_then_those_with_a_number(index: Index) -> None:
    assert found(index, "電気代") == ["家/電気代.csv", "家/電気代2024.csv", "家/節約.md"]
    assert found(index, "電気代2024.csv", 1) == ["家/電気代2024.csv"]
    hit = index.search("電気代", 1)[0]
    assert hit.relevance is not None and hit.relevance >= 0.5
    assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-4)


@pytest.mark.parametrize("query", ["2024-05-10", "budget", "最終", "2024-05-10_budget_最終"])
def test_a_file_is_called_each_part_of_its_name(tmp_path: Path, query: str) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "2024-05-10_budget_最終.md").write_text("# 連絡\n承知しました。", "utf-8")
    table = "日付,金額\n2024-05-10,最終 budget\n"
    (notes / "家計簿.csv").write_text(table * 3, "utf-8")
    with Index.create(tmp_path / "i") as index:
        update(index, [notes])
        hit = index.search(query, 1)[0]
    assert hit.metadata["path"].endswith("最終.md")
    assert hit.relevance is not None and hit.relevance >= 0.5


def test_only_the_best_passage_of_a_file_is_raised_for_its_name(index: Index) -> None:
    with Index.create(index.info()["path"] + "2") as rows:
        rows.add(
            {
                "id": f"{n}",
                "text": f"{n}月は{n}円",
                "metadata": {"path": "電気代.csv"},
                "title": "電気代",
            }
            for n in range(1, 9)
        )
        rows.add([{"id": "note", "text": "電気代を減らす。", "metadata": {"path": "節約.md"}}])
        assert found(rows, "電気代", 2)[1] == "note"


def test_a_passage_with_the_phrase_comes_before_those_with_its_words(index: Index) -> None:
    assert found(index, "猫のえさ", 1) == ["家/猫.md"]
    hit = index.search("猫のえさ", 1)[0]
    assert "phrase" in hit.parts
    assert hit.relevance is not None and hit.relevance >= 0.2
    assert "phrase" not in index.search("猫のえさ", 1, rerank=False)[0].parts


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Postg", {"仕事/db.md"}),
        ("post", {"仕事/db.md", "仕事/pm.md"}),
        ("ｐｏｓｔｇｒｅの設定", {"仕事/db.md"}),
        ("java", {"仕事/java.md"}),  # a word that occurs is only itself
        ("po", set()),  # too short
        ("20", set()),  # numbers are whole
        ("gres", set()),
        ("Posgtman", {"仕事/pm.md"}),  # letters exchanged
        ("postgresqll", {"仕事/db.md"}),
        ("postgrsql", {"仕事/db.md"}),
        ("PostgreSQK", {"仕事/db.md"}),
        ("pstgresql", set()),  # slips at the start are rare
        ("postgrsq", set()),  # two slips
    ],
)
def test_a_latin_word_that_occurs_nowhere_is_a_beginning(
    index: Index, query: str, expected: set[str]
) -> None:
    assert set(found(index, query, mode="lexical")) == expected


def test_a_slip_of_the_keys_is_one_edit() -> None:
    letters = "abc"
    words = ["".join(word) for n in range(1, 5) for word in product(letters, repeat=n)]
    for word in words:
        near = {word[:n] + word[n + 1 :] for n in range(len(word))}
        for n in range(len(word) + 1):
            near |= {word[:n] + letter + word[n:] for letter in letters}
            near |= {word[:n] + letter + word[n + 1 :] for letter in letters}
        near |= {word[:n] + word[n + 1] + word[n] + word[n + 2 :] for n in range(len(word) - 1)}
        found = {other for other in words if is_mistyped(word, other)}
        assert found == near & set(words) - {word}


def test_what_was_typed_in_part_is_relevant(index: Index) -> None:
    hit = index.search("Postg", 1)[0]
    assert hit.id == "仕事/db.md"
    assert hit.relevance is not None and hit.relevance > 0.5


def test_a_word_that_is_written_later_ends_the_guess(tmp_path) -> None:
    with Index.create(tmp_path / "i") as index:
        index.add([{"id": "long", "text": "PostgreSQL"}])
        assert found(index, "postg", mode="lexical") == ["long"]
        index.add([{"id": "exact", "text": "postg"}])
        assert found(index, "postg", mode="lexical") == ["exact"]


def test_words_go_on_in_the_query() -> None:
    assert completed("Postgの設定 Postg", {"postg": "postgresql"}) == "postgresqlの設定 postgresql"


def test_kana_find_each_other(index: Index) -> None:
    assert found(index, "とまと", 2) == ["料理/とまと.txt", "料理/庭.md"]
    assert found(index, "トマト", 2) == ["料理/庭.md", "料理/とまと.txt"]
    assert found(index, "トマトの苗", mode="lexical")[0] == "料理/庭.md"


def test_beginnings_are_marked_only_in_texts_without_the_word() -> None:
    def marked(text: str, query: str) -> list[str]:
        return [text[start:end] for start, end in highlight(text, query)]

    assert marked("PostgreSQLの設定", "postg") == ["Postg"]
    assert marked("JavaとJavaScript", "java") == ["Java"]
    assert marked("JavaScript", "java javasc") == ["JavaSc"]
    assert marked("20240401", "2024") == []


@pytest.mark.parametrize("query", ["電気代", "猫のえさ", "電気代2024", "とまと", "db", "雨"])
def test_passages_that_lack_a_term_need_not_be_read(
    index: Index, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = index.search(query, 12)
    monkeypatch.setattr("konayuki.search.searcher._MOST_HOLDING", 1)  # all are read
    assert index.search(query, 12) == hits
    monkeypatch.undo()

    read: list[int] = []
    raised = verbatim.raised

    def counting(
        look: SecondLook, k: int, text: str, documents: dict[int, Document]
    ) -> list[Ranked]:
        read.append(len(documents))
        return raised(look, k, text, documents)

    monkeypatch.setattr(verbatim, "raised", counting)
    index.search(query, 12)
    assert read[0] <= 5 < len(NOTES)
