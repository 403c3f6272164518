"""The promises of Index, over every mode."""

import dataclasses
from pathlib import Path

import pytest

from konayuki.choices import MODES
from konayuki.errors import (
    IndexFormatError,
    IndexLockedError,
    InputError,
    ModelMismatchError,
    NotFoundError,
)
from konayuki.search import Index
from konayuki.search.documents import Documents
from konayuki.search.settings import settings_of
from search.corpus import queries, records
from search.stand_in import HashEncoder

MODEL = HashEncoder()
FUJI = {"id": "fuji", "text": "富士山は高さ3776メートルの山である。", "metadata": {"lang": "ja"}}
BIWA = {
    "id": "biwa",
    "text": "琵琶湖は滋賀県にある日本最大の湖である。",
    "metadata": {"lang": "ja"},
}
TEA = {"id": "tea", "text": "Green tea is a drink.", "title": "茶", "metadata": {"lang": "en"}}


@pytest.fixture
def index(fresh):
    with Index.open(fresh(), MODEL) as index:
        yield index


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


def ids(index: Index, query: str, k: int = 10, mode: str = "hybrid", where=None) -> list[str]:
    return [hit.id for hit in index.search(query, k, mode, where)]


def test_the_matching_document_comes_first(index: Index, mode: str):
    index.add([FUJI, BIWA, TEA])
    assert ids(index, "富士山の高さ", mode=mode)[0] == "fuji"


def test_a_title_is_searched_like_the_text(index: Index, mode: str):
    index.add([FUJI, BIWA, TEA])
    assert ids(index, "茶", mode=mode)[0] == "tea"


@pytest.mark.parametrize("query", ["湖", "FUJI", "ｆｕｊｉ", "３７７６", "湖。", "？湖"])
def test_words_are_found_whatever_their_width_and_case(index: Index, query: str):
    index.add([{"id": "a", "text": "Fuji 3776 湖"}, {"id": "b", "text": "別の文"}])
    assert ids(index, query, mode="lexical") == ["a"]


def test_a_hit_carries_everything_that_was_stored(index: Index):
    full = {
        "id": "guide#2", "text": "手順を示す。", "title": "案内",
        "metadata": {"tags": ["a", 1], "x": {}},
        "chunk_of": "guide", "heading": "導入 > 準備", "position": 2,
    }  # fmt: skip
    index.add([full])
    hit = index.search("準備の手順")[0]
    assert (hit.id, hit.text, hit.title, hit.metadata) == tuple(
        full[name] for name in ("id", "text", "title", "metadata")
    )
    assert (hit.document, hit.heading, hit.position) == ("guide", "導入 > 準備", 2)
    assert dataclasses.asdict(index.get("guide#2")) == full


def test_the_parts_of_a_score_belong_to_their_mode(index: Index):
    index.add([FUJI, BIWA])
    lexical, dense, hybrid = (
        index.search("富士山", 1, mode)[0] for mode in ("lexical", "dense", "hybrid")
    )
    assert lexical.dense is None and lexical.score == lexical.lexical
    assert dense.lexical is None and dense.score == dense.dense
    assert (hybrid.lexical, hybrid.dense) == (lexical.lexical, dense.dense)


def test_a_document_with_an_id_that_is_there_replaces_it(index: Index, mode: str):
    index.add([FUJI, BIWA])
    index.add([{"id": "fuji", "text": "まったく別の話題"}])
    assert len(index) == 2
    assert index.search("まったく別の話題", 1, mode)[0].text == "まったく別の話題"
    assert all("3776" not in hit.text for hit in index.search("富士山の高さ3776", 10, mode))


def test_the_last_of_equal_ids_in_one_batch_stays(index: Index):
    index.add([FUJI, {"id": "fuji", "text": "あと"}])
    assert (len(index), index.get("fuji").text) == (1, "あと")


def test_deleted_documents_are_gone(index: Index, mode: str):
    index.add([FUJI, BIWA, TEA])
    assert index.delete(["fuji", "nobody"]) == 1
    assert (len(index), index.get("fuji"), "fuji" in index) == (2, None, False)
    assert "fuji" not in ids(index, "富士山の高さ", mode=mode)


def test_deleting_a_document_deletes_its_chunks_unless_told_otherwise(index: Index):
    chunks = [{"id": f"g#{n}", "text": f"部分{n}", "chunk_of": "g"} for n in range(3)]
    index.add(chunks)
    assert index.delete(["g"], chunks=False) == 0
    assert index.delete(["g"]) == 3


@pytest.fixture(scope="module")
def mountains(tmp_path_factory: pytest.TempPathFactory):
    metadata = {
        "a": {"lang": "ja", "year": 2023, "done": True},
        "b": {"lang": "ja", "year": 2024, "done": False},
        "c": {"lang": "en", "tags": ["x", "y"], "none": None},
        "d": {},
    }
    texts = ({"id": key, "text": "山の話", "metadata": value} for key, value in metadata.items())
    with Index.create(tmp_path_factory.mktemp("where") / "i", MODEL) as index:
        index.add(texts)
        yield index


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"lang": "ja"}, {"a", "b"}),
        ({"lang": ["ja", "en"]}, {"a", "b", "c"}),
        ({"lang": "ja", "year": 2024}, {"b"}),
        ({"year": 2024.0}, {"b"}),
        ({"tags": "x"}, {"c"}),
        ({"done": True}, {"a"}),
        ({"done": 1}, set()),
        ({"none": None}, {"c"}),
        ({"lang": []}, set()),
        ({"missing": "x"}, set()),
        ({}, {"a", "b", "c", "d"}),
    ],
)
def test_a_filter_admits_exactly_what_matches(mountains: Index, mode: str, where, expected):
    assert set(ids(mountains, "山の話", mode=mode, where=where)) == expected


def test_a_rare_match_is_found_among_many_better_ones(index: Index, mode: str):
    index.add({"id": f"n{n}", "text": "富士山の高さ", "metadata": {"k": "no"}} for n in range(400))
    index.add({"id": f"y{n}", "text": "富士山と湖", "metadata": {"k": "yes"}} for n in range(5))
    found = ids(index, "富士山の高さ", k=5, mode=mode, where={"k": "yes"})
    assert found == [f"y{n}" for n in range(5)]


@pytest.mark.parametrize(
    "where",
    [
        {"a": {"b": 1}},
        {"a": [[1]]},
        {1: "a"},
        "lang",
        {"a": float("nan")},
        {"a": b"x"},
        {"a": "\ud800"},
    ],
)
def test_a_filter_that_cannot_be_one_is_refused(index: Index, where):
    with pytest.raises(InputError, match="where"):
        index.search("山", where=where)


def test_equal_scores_are_ordered_by_id(index: Index, mode: str):
    names = [f"{n * 37 % 101:03}" for n in range(101)]
    index.add({"id": name, "text": "同じ文"} for name in names)
    assert ids(index, "同じ文", k=20, mode=mode) == sorted(names)[:20]


def test_more_hits_than_documents_gives_them_all_once(index: Index, mode: str):
    index.add(records(30))
    found = ids(index, "日本の富士山は高い。", k=10**12, mode=mode)
    assert len(found) == len(set(found))
    assert len(found) == 30 or mode == "lexical"


def test_fewer_hits_are_the_beginning_of_more(index: Index, mode: str):
    index.add(records(300))
    for query in queries(10):
        longer = index.search(query, 40, mode)
        assert [hit.id for hit in index.search(query, 7, mode)] == [hit.id for hit in longer][:7]


def test_an_empty_index_and_an_empty_query_find_nothing(index: Index, mode: str):
    assert index.search("富士山", mode=mode) == []
    index.add([FUJI])
    assert index.search("", mode=mode) == index.search(" \n", mode=mode) == []
    assert index.search("富士山", 0, mode) == []


def test_documents_without_words_are_kept(index: Index, mode: str):
    index.add([{"id": "empty", "text": ""}, {"id": "dots", "text": "。。。"}, FUJI])
    assert ids(index, "富士山", k=1, mode=mode) == ["fuji"]
    assert len(index) == 3


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "a"}, "record 1 .*'id' is missing"),
        ({"id": 5, "text": "a"}, "record 1 .id 5.*'id' is a int(.|\n)*hint: str"),
        ({"id": "", "text": "a"}, "'id' is empty"),
        ({"id": "x"}, "id 'x'.*'text' is missing"),
        ({"id": "x", "text": None}, "id 'x'.*'text' is a NoneType"),
        ({"id": "x", "text": "\ud800"}, "lone surrogate at character 0"),
        ({"id": "x", "text": "a", "tittle": "b"}, "unknown field 'tittle'"),
        ({"id": "x", "text": "a", "metadata": [1]}, "'metadata' is a list"),
        ({"id": "x", "text": "a", "metadata": {"a": object()}}, "'metadata' cannot be written"),
        ({"id": "x", "text": "a", "metadata": {"a": float("nan")}}, "'metadata' cannot be written"),
        ({"id": "x", "text": "a", "metadata": {1: 2}}, "metadata key 1"),
        ({"id": "x", "text": "a", "position": -1}, "'position' is -1"),
        ("text", "record 1 is a str"),
    ],
)
def test_a_bad_record_is_named_and_nothing_of_its_batch_stored(index: Index, record, message):
    with pytest.raises(InputError, match=message):
        index.add([FUJI, record])
    assert (len(index), "fuji" in index) == (0, False)


def test_batches_before_a_bad_record_stay_and_are_found(index: Index, monkeypatch):
    monkeypatch.setattr("konayuki.search.index._BATCH_DOCUMENTS", 10)
    with pytest.raises(InputError, match="record 25"):
        index.add([*records(25), {"id": "x"}])
    assert len(index) == 20
    assert len(index.search("日本", 100, "dense")) == 20


@pytest.mark.parametrize("batch", [{"id": "a", "text": "b"}, "text", [["a"]]])
def test_what_is_no_stream_of_records_is_refused(index: Index, batch):
    with pytest.raises(InputError, match="expected"):
        index.add(batch)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5,), "query"),
        (("\ud800",), "query .* lone surrogate"),
        (("a", -1), "k is"),
        (("a", True), "k is"),
        (("a", 5, "fuzzy"), "mode is"),
    ],
)
def test_a_search_that_cannot_be_one_is_refused(index: Index, arguments, message):
    with pytest.raises(InputError, match=message):
        index.search(*arguments)


def test_an_id_that_cannot_be_stored_is_not_there(index: Index):
    assert index.get("\ud800") is None
    assert index.delete(["\ud800"]) == 0


def test_deleting_with_a_string_is_refused(index: Index):
    with pytest.raises(InputError, match="expected a list"):
        index.delete("abc")


@pytest.mark.parametrize("n_empty", [1, 300])
def test_an_empty_document_outranks_nothing(index: Index, n_empty: int):
    texts = [f"文書{number}" for number in range(50)]
    index.add({"id": f"e{number}", "text": ""} for number in range(n_empty))
    index.add({"id": text, "text": text} for text in texts)
    cosines = {hit.id: hit.score for hit in index.search("富士山の高さ", 500, "dense")}
    assert cosines.keys() == {*texts}
    assert min(cosines.values()) < 0
    assert {*ids(index, "富士山の高さ", 500)} == {*texts}
    assert len(ids(index, "富士山の高さ", 50, "dense")) == 50


def test_an_index_keeps_everything_over_reopening(fresh):
    folder = fresh()
    with Index.open(folder, MODEL) as index:
        index.add(records(200))
        index.delete([f"d{n}" for n in range(0, 200, 3)])
        before = [index.search(query, 20, mode) for query in queries(10) for mode in MODES]
    with Index.open(folder, MODEL) as index:
        after = [index.search(query, 20, mode) for query in queries(10) for mode in MODES]
    assert after == before


def test_another_model_is_refused_with_both_fingerprints(empty_index: Path):
    with pytest.raises(ModelMismatchError, match=r"hash-64-0.*hash-64-9"):
        Index.open(empty_index, HashEncoder(seed=9))
    with pytest.raises(ModelMismatchError, match=r"64 dimensions.*32"):
        Index.open(empty_index, HashEncoder(dim=32))


def test_an_index_is_not_created_over_anything(tmp_path: Path, empty_index: Path):
    with pytest.raises(InputError, match=r"already exists(.|\n)*choose another"):
        Index.create(empty_index, MODEL)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="already exists"):
        Index.create(tmp_path / "file", MODEL)


def test_no_index_is_an_error_that_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"documents.db does not exist(.|\n)*konayuki index"):
        Index.open(tmp_path / "nowhere", MODEL)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_notes_is_not_proposed_as_the_place_of_an_index(tmp_path: Path):
    (tmp_path / "memo.md").write_text("雪", "utf-8")
    with pytest.raises(NotFoundError) as error:
        Index.open(tmp_path, MODEL)
    assert f"hint: konayuki index {tmp_path} --out NEW" in str(error.value)


def test_a_second_writer_is_told_who_writes(tmp_path: Path, index: Index):
    index.add([FUJI])
    with Index.open(tmp_path / "notes.konayuki", MODEL) as second:
        with pytest.raises(IndexLockedError, match=r"process \d+ is writing"):
            second.add([BIWA])
        assert ids(second, "富士山") == ["fuji"]
        index.close()
        second.add([BIWA])
        assert len(second) == 2


def test_a_reader_sees_a_write_with_its_next_query(tmp_path: Path, index: Index, mode: str):
    with Index.open(tmp_path / "notes.konayuki", MODEL) as reader:
        for number in range(2):
            index.add([{"id": str(number), "text": f"新着{number}の記事"}])
            assert str(number) in ids(reader, f"新着{number}の記事", mode=mode)
            assert len(reader) == number + 1
        index.delete(["0"])
        assert "0" not in ids(reader, "新着0の記事", mode=mode)


def test_a_closed_index_says_so(index: Index):
    index.close()
    index.close()
    for call in (lambda: index.search("a"), lambda: index.add([FUJI]), lambda: len(index)):
        with pytest.raises(InputError, match="closed"):
            call()


def test_an_index_of_a_later_version_is_refused(tmp_path: Path):
    (tmp_path / "i").mkdir()
    settings = settings_of(MODEL) | {"format_version": "3"}
    Documents.create(tmp_path / "i" / "documents.db", settings).close()
    with pytest.raises(IndexFormatError, match="format version 3: expected 2"):
        Index.open(tmp_path / "i", MODEL)


def test_a_generator_of_documents_is_never_held_whole(index: Index, monkeypatch):
    monkeypatch.setattr("konayuki.search.index._BATCH_DOCUMENTS", 50)
    n_made = 0
    largest_gap = 0

    class CountingEncoder(HashEncoder):
        n_seen = 0

        def encode(self, texts):
            nonlocal largest_gap
            self.n_seen += len(texts)
            largest_gap = max(largest_gap, n_made - self.n_seen + len(texts))
            return super().encode(texts)

    def stream():
        nonlocal n_made
        for record in records(500):
            n_made += 1
            yield record

    index._store.model = CountingEncoder()
    assert index.add(stream()) == 500
    assert largest_gap <= 51


def test_info_describes_the_index(index: Index):
    index.add(records(7))
    info = index.info()
    assert (info["documents"], info["dim"], info["model"]) == (7, 64, "hash-64-0")
    assert info["bytes"] > 0
