"""Every layout gives the same set; every bad row is refused with its place and the reason."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.layouts import CORPUS, PAIRS, QRELS, QUERIES, write_beir, write_nano, write_table
from konayuki.errors import DatasetError, InputError, MissingExtraError, NotFoundError
from konayuki.evaluation.datasets import read_sets, write_set
from konayuki.evaluation.sets import EvaluationSet, Passage, RetrievalSet, SimilaritySet
from shared_data import data_folder

SUFFIXES = [".parquet", ".jsonl", ".jsonl.gz", ".tsv", ".csv"]


def read_one(folder: Path, *, strict: bool | None = None) -> EvaluationSet:
    (one,) = read_sets(folder, strict=strict)
    return one


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_set(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")

    one = read_one(write_beir(tmp_path / "mountains", suffix=suffix))

    assert one == RetrievalSet(
        name="mountains",
        corpus={row["_id"]: Passage(row["text"], row["title"]) for row in CORPUS},
        queries={"q1": "一番高い山は？", "q2": "大きい湖は？"},  # q3 has no relevant passage
        qrels={"q1": {"d1": 1}, "q2": {"d2": 2, "d1": 1}},
    )
    assert one.is_graded


def test_qrels_may_lie_in_a_folder_of_splits_as_in_beir(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "one")
    (folder / "qrels.jsonl").unlink()
    write_table(folder / "qrels" / "test.tsv", QRELS)

    assert read_one(folder).qrels["q1"] == {"d1": 1}


def test_qrels_without_scores_list_relevant_pairs(tmp_path: Path) -> None:
    pairs = [{"query-id": "q1", "corpus-id": "d1"}, {"query-id": "q2", "corpus-id": ["d1", "d2"]}]

    one = read_one(write_beir(tmp_path / "one", qrels=pairs))

    assert one.qrels == {"q1": {"d1": 1}, "q2": {"d1": 1, "d2": 1}}


def test_a_folder_of_sets_is_a_collection_in_the_order_of_names(tmp_path: Path) -> None:
    write_beir(tmp_path / "b", suffix=".csv")
    write_beir(tmp_path / "a")
    write_table(tmp_path / "pairs" / "stsb.jsonl", PAIRS)
    (tmp_path / "SOURCES.tsv").write_text("not a set\n")
    (tmp_path / "empty").mkdir()

    assert [one.name for one in read_sets(tmp_path)] == ["a", "b", "pairs"]
    assert [one.name for one in read_sets(tmp_path, only=["pairs", "a"])] == ["a", "pairs"]
    with pytest.raises(InputError, match=r"no set 'c': expected one of a, b, pairs"):
        list(read_sets(tmp_path, only=["c"]))


def test_similarity_pairs(tmp_path: Path) -> None:
    write_table(tmp_path / "sts" / "stsb.csv", PAIRS)

    one = read_one(tmp_path / "sts")

    assert isinstance(one, SimilaritySet)
    assert one.first[1] == "犬が走る。"
    assert one.scores == (4.5, 0.0, 4.0)


def test_the_layout_of_nanobeir_is_a_collection(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_nano(tmp_path / "nano", ("NanoFEVER", "NanoNQ"))

    first, second = read_sets(tmp_path / "nano")

    assert (first.name, second.name) == ("NanoFEVER", "NanoNQ")
    assert first.corpus["d1"] == Passage("富士山は日本で一番高い山である。")
    assert first.qrels == {"q1": {"d1": 1}, "q2": {"d2": 1, "d1": 1}}


def change(rows: list[dict], number: int, **values: object) -> list[dict]:
    return [{**row, **values} if index == number else row for index, row in enumerate(rows, 1)]


BAD_TABLES = {
    "no column": (
        {"corpus": [{"_id": "d1", "body": "文"}]},
        r"corpus\.jsonl line 1: no column 'text': the columns are '_id', 'body'",
    ),
    "unknown document": (
        {"qrels": change(QRELS, 3, **{"corpus-id": "d9"})},
        r"qrels\.jsonl line 3: document 'd9' is not among the 3 of the corpus",
    ),
    "unknown question": (
        {"qrels": change(QRELS, 2, **{"query-id": "q9"})},
        r"qrels\.jsonl line 2: question 'q9' is not among the 3 queries",
    ),
    "document id twice": (
        {"corpus": change(CORPUS, 3, _id="d1")},
        r"corpus\.jsonl line 3: id 'd1' is used twice, first in bad/corpus\.jsonl line 1",
    ),
    "question id twice": (
        {"queries": change(QUERIES, 2, _id="q1")},
        r"queries\.jsonl line 2: id 'q1' is used twice, first in bad/queries\.jsonl line 1",
    ),
    "empty passage": (
        {"corpus": change(CORPUS, 2, text="　\n")},
        r"corpus\.jsonl line 2: the text of 'd2' is empty",
    ),
    "empty question": (
        {"queries": change(QUERIES, 1, text="")},
        r"queries\.jsonl line 1: the text of 'q1' is empty",
    ),
    "no text": ({"corpus": change(CORPUS, 1, text=None)}, r"line 1: 'text' is None"),
    "no id": ({"corpus": change(CORPUS, 1, _id="")}, r"line 1: '_id' is '': expected an id"),
    "half a gain": (
        {"qrels": change(QRELS, 1, score=0.5)},
        r"line 1: 'score' is 0\.5: expected a wh",
    ),
    "no gain": (
        {"qrels": change(QRELS, 4, score="ja")},
        r"line 4: 'score' is 'ja': expected a number",
    ),
    "nothing relevant": ({"qrels": change(QRELS[:1], 1, score=0)}, r"no question has a relevant"),
    "no rows": ({"corpus": []}, r"corpus has no rows"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_set_is_refused_with_the_row_and_the_reason(tmp_path: Path, case: str) -> None:
    tables, message = BAD_TABLES[case]
    write_beir(tmp_path / "bad", **tables)

    with pytest.raises(DatasetError, match=message):
        read_one(tmp_path / "bad")


BAD_FILES = {
    "corpus.jsonl": (
        b'{"_id": "d1", "text": "x"}\n{"_id": \n',
        r"bad/corpus\.jsonl line 2: not JSON",
    ),
    "queries.jsonl": (b'["q1"]\n', r"bad/queries\.jsonl line 1: list instead of an object"),
    "qrels.jsonl": (b"\xff\xfe\n", r"bad/qrels\.jsonl is not UTF-8"),
    "corpus.parquet": (b"PAR1 and then noise", r"bad/corpus\.parquet is not a Parquet file"),
    "corpus.jsonl.gz": (b"\x1f\x8b and then noise", r"bad/corpus\.jsonl\.gz is not"),
    "corpus.tsv": (b"_id\ttext\nd1\n", r"bad/corpus\.tsv line 2 has 1 cells: the header has 2"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    content, message = BAD_FILES[name]
    folder = write_beir(tmp_path / "bad")
    (folder / f"{name.split('.')[0]}.jsonl").unlink()
    (folder / name).write_bytes(content)

    with pytest.raises(DatasetError, match=message):
        read_one(folder)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "bad")
    (folder / "qrels.jsonl").unlink()

    with pytest.raises(
        DatasetError, match=r"bad: no table 'qrels': .*corpus\.jsonl, queries\.jsonl"
    ):
        read_one(folder)


def test_lenient_reading_does_as_sentence_transformers_and_says_so(tmp_path: Path) -> None:
    corpus = [
        *CORPUS,
        {"_id": "d4", "text": ""},
        {"_id": "d5", "text": " "},
        {"_id": "d1", "text": "富士山"},
    ]
    qrels = [*QRELS, {"query-id": "q1", "corpus-id": "d4", "score": 1}]
    folder = write_beir(tmp_path / "one", corpus=corpus, qrels=qrels)

    one = read_one(folder, strict=False)

    assert one.corpus["d1"] == Passage("富士山")
    assert one.qrels["q1"] == {"d1": 1, "d4": 1}
    assert one.notes == (
        "corpus: empty texts dropped: 1",
        "corpus: texts of white space kept: 1",
        "corpus: ids used twice, the last row kept: 1",
        "qrels: documents outside the corpus, counted as not found: 1",
    )


def test_a_source_that_is_neither_a_folder_nor_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets").mkdir()
    for source in (tmp_path / "nowhere", "nowhere", "./a/b", "runs/x/", "sets/lakse"):
        with pytest.raises(NotFoundError, match="there is no folder"):
            read_sets(source)
    with pytest.raises(DatasetError, match="no evaluation set in"):
        list(read_sets(tmp_path / "sets"))


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_beir(tmp_path / "one")
    (tmp_path / "one" / "corpus.jsonl").rename(tmp_path / "one" / "corpus.parquet")

    def no_pyarrow(name: str) -> None:
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr("konayuki.extras.import_module", no_pyarrow)

    with pytest.raises(MissingExtraError, match=r"pip install 'konayuki\[eval\]'"):
        read_one(tmp_path / "one")


def test_a_title_stands_before_the_text_where_asked_for() -> None:
    assert Passage("一番高い山。", "富士山").full_text(titles=True) == "富士山\n一番高い山。"
    assert Passage("一番高い山。", "富士山").full_text(titles=False) == "一番高い山。"
    assert Passage("一番高い山。").full_text(titles=True) == "一番高い山。"


def test_a_sample_keeps_the_corpus_and_is_always_the_same() -> None:
    questions = {f"q{number}": f"問{number}" for number in range(50)}
    one = RetrievalSet("s", {"d": Passage("文")}, questions, {key: {"d": 1} for key in questions})

    half = one.sample(25)

    assert half == one.sample(25)
    assert len(half.queries) == 25 and half.queries.keys() == half.qrels.keys()
    assert half.corpus is one.corpus
    assert list(half.queries)[:3] == ["q18", "q23", "q36"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_and_id_survive_the_journey_through_json_lines(
    tmp_path: Path, texts: dict[str, str]
) -> None:
    rows = [{"_id": key, "text": text} for key, text in texts.items()]
    qrels = [{"query-id": key, "corpus-id": key} for key in texts]

    one = read_one(write_beir(tmp_path / "any", corpus=rows, queries=rows, qrels=qrels))

    assert one.queries == texts
    assert {key: passage.text for key, passage in one.corpus.items()} == texts


def test_the_shared_sets_are_read_without_a_complaint() -> None:
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared evaluation sets are not here")
    pytest.importorskip("pyarrow")

    sizes = {
        one.name: (len(one.queries), len(one.corpus))
        for one in read_sets(folder / "eval")
        if isinstance(one, RetrievalSet)
    }

    assert sizes == {
        "aio-quiz": (279, 3604),
        "jaquad-dev": (2000, 11143),
        "niilc": (780, 5999),
        "sql_docs_ja": (987, 9232),
    }


def test_a_set_survives_writing(tmp_path: Path) -> None:
    one = RetrievalSet(
        "山と海",
        {"1": Passage("富士山は高い。\n山である", "富士山"), "2": Passage("海は広い\u2028塩辛い")},
        {"q1": "高い山は？", "q2": "「海」"},
        {"q1": {"1": 2}, "q2": {"2": 1, "1": 1}},
    )
    write_set(one, tmp_path / one.name)
    (found,) = read_sets(tmp_path)
    assert found == one
