"""How queries go on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.search import Index, Query
from search.stand_in import HashEncoder

RECORDS = [
    {
        "id": "1",
        "title": "健康診断のご案内",
        "heading": "総務 > 日時と場所",
        "text": "PostgreSQL と トマト の話。postgresql は速い。",
        "metadata": {"tags": ["料理/和食", "New York"], "path": "会社/総務/案内.md"},
    },
    {
        "id": "2",
        "title": "2024年度 健康保険",
        "text": "健康保険証の更新。サーバーの保守。健康保険証",
        "metadata": {"tags": ["料理"], "path": "会社/保険.pdf"},
    },
    {"id": "3", "title": "ひっこし", "text": "サーバーの引っ越し。C# と健康保険証"},
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory):
    with Index.create(tmp_path_factory.mktemp("suggest") / "i", HashEncoder()) as index:
        index.add(RECORDS)
        yield index


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Postg", ["PostgreSQL"]),
        ("ＰＯＳＴ", ["PostgreSQL"]),
        ("とま", ["トマト"]),
        ("サ", ["サーバー"]),
        ("ヒッコ", ["ひっこし"]),
        ("健康", ["健康診断のご案内", "健康保険証", "2024年度 健康保険"]),
        ("健康保", ["健康保険証", "2024年度 健康保険"]),
        ("日時", ["日時と場所"]),
        ("場所", ["日時と場所"]),
        ("康", []),
        ("のご", []),
        ("料金 Postg", ["料金 PostgreSQL"]),
        ("tag:", ["tag:料理", "tag:料理/和食", 'tag:"New York"']),
        ("案内 tag:和", ["案内 tag:料理/和食"]),
        ("-tag：new", ['-tag:"New York"']),
        ("path:会社/総", ["path:会社/総務/", "path:会社/総務/案内.md"]),
        ("path:総", ["path:会社/総務/", "path:会社/総務/案内.md"]),
        ("kind:", ["kind:md", "kind:pdf"]),
        ("after:", []),
        ("", []),
        ("   ", []),
        ("a" * 500, []),
    ],
)
def test_a_query_goes_on_with_what_the_index_holds(
    index: Index, typed: str, expected: list[str]
) -> None:
    assert [suggestion.text for suggestion in index.suggest(typed)] == expected


def test_what_is_suggested_for_a_filter_is_understood(index: Index) -> None:
    for name in ("tag", "path", "kind"):
        for suggestion in index.suggest(f"{name}:"):
            query = Query.parse(suggestion.text)
            assert (query.text, suggestion.source) == ("", name)
            assert index.search(query)


def test_at_most_k_are_suggested(index: Index) -> None:
    assert len(index.suggest("健康", 2)) == 2
    assert index.suggest("健康", 0) == []
    with pytest.raises(InputError):
        index.suggest("健康", -1)


def test_what_is_deleted_is_not_suggested(fresh) -> None:
    with Index.open(fresh(), HashEncoder()) as index:
        index.add(RECORDS)
        assert index.suggest("ひっ")
        index.delete(["1", "3"])
        assert index.suggest("ひっ") == index.suggest("Post") == index.suggest("tag:料理/") == []
        assert [suggestion.text for suggestion in index.suggest("tag:")] == ["tag:料理"]


@settings(max_examples=200, deadline=None)
@given(typed=st.text(max_size=12))
def test_no_input_is_an_error(index: Index, typed: str) -> None:
    for suggestion in index.suggest(typed):
        assert suggestion.text
