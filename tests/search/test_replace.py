"""One request is one step: all of it is seen and kept, or nothing."""

import threading

import pytest

from konayuki.choices import MODES
from konayuki.errors import InputError
from konayuki.search import Index, Source
from search.stand_in import HashEncoder

MODEL = HashEncoder()


def passages(name: str, version: int, count: int = 4) -> list[dict]:
    return [
        {"id": f"{name}#{version}-{n}", "text": f"文書 版{version}", "metadata": {"path": name}}
        for n in range(count)
    ]


@pytest.fixture
def index(fresh):
    with Index.open(fresh(), MODEL) as index:
        yield index


def test_what_matches_goes_and_what_is_new_comes_in_one_generation(index: Index):
    index.add([*passages("a", 1), *passages("b", 1)])
    generation = index.info()["generation"]
    done = index.replace(
        passages("a", 2, 3), where={"path": "a"}, ids=["b#1-0"], sources={"a": Source("x", "/a")}
    )
    assert done == (3, 5)
    assert index.info()["generation"] == generation + 1
    assert {hit.id for hit in index.search("文書", 50)} == {
        *(f"a#2-{n}" for n in range(3)),
        *(f"b#1-{n}" for n in range(1, 4)),
    }
    assert index.sources() == {"a": Source("x", "/a")}
    assert index.values("path") == ["a", "b"]


def test_what_comes_back_under_its_id_was_not_removed(index: Index):
    index.add(passages("a", 1, 4))
    assert index.replace(passages("a", 1, 2), where={"path": "a"}) == (2, 2)
    assert len(index) == 2


def test_prune_removes_passages_and_forgets_their_file(index: Index):
    index.replace(passages("a", 1), sources={"a": Source("x")})
    assert index.replace((), where={"path": ["a"]}, sources={"a": None}) == (0, 4)
    assert (len(index), index.sources(), index.values("path")) == (0, {}, [])


def test_only_sources_leave_the_generation_as_it_is(index: Index):
    generation = index.info()["generation"]
    assert index.replace((), sources={"a": Source("x")}) == (0, 0)
    assert index.info()["generation"] == generation


@pytest.mark.parametrize(
    "bad", [{"id": "x"}, {"id": "x", "text": "a", "metadata": {"a": float("nan")}}]
)
def test_a_bad_record_at_the_end_leaves_everything_as_it_was(
    index: Index, bad: dict, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("konayuki.search.index._BATCH_DOCUMENTS", 10)
    index.add(passages("a", 1))
    many = passages("b", 1, 25)
    with pytest.raises(InputError, match="record 25"):
        index.add([*many, bad], atomic=True)
    with pytest.raises(InputError, match="record 25"):
        index.replace([*many, bad], where={"path": "a"}, sources={"b": Source("x")})
    assert (len(index), index.values("path"), index.sources()) == (4, ["a"], {})
    assert index.add(many, atomic=True) == 25


def test_removing_everything_by_an_empty_filter_is_refused(index: Index):
    index.add(passages("a", 1))
    with pytest.raises(InputError, match="where is empty"):
        index.replace((), where={})
    assert len(index) == 4


def test_no_search_sees_old_and_new_together(index: Index):
    index.add(passages("a", 0))
    done, mixed, n_answers = threading.Event(), [], 0

    def search() -> None:
        nonlocal n_answers
        while not done.is_set():
            versions = {hit.text for hit in index.search("文書", 50, MODES[n_answers % 3])}
            n_answers += 1
            if len(versions) != 1:
                mixed.append(versions)

    thread = threading.Thread(target=search)
    thread.start()
    for version in range(1, 40):
        index.replace(passages("a", version), where={"path": "a"})
    done.set()
    thread.join()
    assert not mixed
    assert n_answers > 0


def test_a_bulk_is_shown_at_its_end_and_kept_if_it_is_cut_short(fresh):
    folder = fresh()
    index = Index.open(folder, MODEL)
    with index.bulk():
        for number in range(5):
            index.add([{"id": str(number), "text": f"文書{number}"}])
        index.delete(["0"])
        assert index.search("文書") == []
    assert len(index.search("文書")) == 4
    with pytest.raises(KeyError), index.bulk():
        index.add([{"id": "5", "text": "文書5"}])
        raise KeyError
    assert len(index.search("文書")) == 5
    index.close()


def test_other_threads_are_seen_while_a_bulk_is_open(index: Index):
    with index.bulk():
        index.add([{"id": "1", "text": "文書1"}])
        thread = threading.Thread(target=index.add, args=([{"id": "2", "text": "文書2"}],))
        thread.start()
        thread.join()
        assert {hit.id for hit in index.search("文書")} == {"1", "2"}


def test_values_are_those_of_living_documents(index: Index):
    index.add(
        [
            {"id": "1", "text": "a", "metadata": {"k": ["x", 1, None], "n": {"k": "deep"}}},
            {"id": "2", "text": "b", "metadata": {"k": "y"}},
            {"id": "3", "text": "c", "metadata": {"k": "z"}},
        ]
    )
    index.delete(["3"])
    assert sorted(index.values("k"), key=str) == sorted(["x", 1, None, "y"], key=str)
    assert index.values("missing") == []


@pytest.mark.parametrize(
    "sources", [{"\ud800": None}, {1: Source("x")}, {"a": "x"}, {"a": Source(3)}, ["a"]]
)
def test_sources_of_another_type_are_refused(index: Index, sources):
    with pytest.raises(InputError, match="sources"):
        index.remember_sources(sources)
    with pytest.raises(InputError, match="sources"):
        index.replace([{"id": "n", "text": "新"}], sources=sources)
    assert index.get("n") is None


def test_a_key_that_is_not_text_is_nobodys(index: Index):
    assert index.get(5) is None
    assert index.values(5) == []
    assert index.metadata_of([5]) == {}
