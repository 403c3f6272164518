"""Any sequence of writes leaves what a dictionary would hold."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.choices import MODES
from konayuki.search import Index
from search.stand_in import HashEncoder

MODEL = HashEncoder()
KEYS = st.sampled_from([f"k{n}" for n in range(8)])
TEXTS = st.sampled_from(["富士山", "琵琶湖の水", "茶", "", "Fuji 2024", "山と湖", "。"])
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(KEYS, TEXTS), min_size=1, max_size=5)),
        st.tuples(st.just("delete"), st.lists(KEYS, min_size=1, max_size=4)),
        st.tuples(st.just("reopen"), st.none()),
        st.tuples(st.just("compact"), st.none()),
    ),
    max_size=7,
)


def check(index: Index, model: dict[str, str]) -> None:
    assert len(index) == len(model)
    for mode in MODES:
        hits = index.search("富士山と湖 茶", 50, mode)
        assert all(model[hit.id] == hit.text for hit in hits)
        assert len({hit.id for hit in hits}) == len(hits)
        assert len(hits) == sum(map(bool, model.values())) or mode == "lexical"
    holding_tea = {key for key, text in model.items() if "茶" in text}
    assert {hit.id for hit in index.search("茶", 50, "lexical")} == holding_tea
    assert {key for key in (f"k{n}" for n in range(8)) if key in index} == set(model)


@pytest.fixture(params=[5, pytest.param(100, marks=pytest.mark.slow)])
def n_histories(request: pytest.FixtureRequest) -> int:
    return request.param


def test_an_index_holds_what_a_dictionary_would(empty_index, tmp_path, monkeypatch, n_histories):
    monkeypatch.setattr("konayuki.search.derived._DEAD_AT_LEAST", 3)

    @settings(max_examples=n_histories, deadline=None, derandomize=True)
    @given(writes=WRITES)
    def replay(writes: list) -> None:
        shutil.rmtree(tmp_path / "i", ignore_errors=True)
        live(shutil.copytree(empty_index, tmp_path / "i"), writes)

    replay()


def live(folder: Path, writes: list) -> None:
    model: dict[str, str] = {}
    index = Index.open(folder, MODEL)
    for kind, content in writes:
        if kind == "add":
            index.add({"id": key, "text": text} for key, text in content)
            model.update(content)
        elif kind == "delete":
            index.delete(content)
            model = {key: text for key, text in model.items() if key not in content}
        elif kind == "reopen":
            index.close()
            index = Index.open(folder, MODEL)
        else:
            index.delete([])
        check(index, model)
    index.close()
