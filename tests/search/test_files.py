"""Hits by file, and where they stand."""

import pytest

from konayuki.search import Hit, by_file, place_of


def hit(name: str, relevance: float | None = None, **metadata: object) -> Hit:
    return Hit(name, 1.0, "", "", metadata, None, None, name[0], "", 0, relevance)


def test_hits_of_a_file_are_put_together_in_the_order_of_the_first_ones() -> None:
    hits = [hit("b1", path="x"), hit("a1"), hit("c1", path="x"), hit("a2"), hit("d1", path="y")]

    files = by_file(hits)
    assert [[file.best.id, *(other.id for other in file.others)] for file in files] == [
        ["b1", "c1"],
        ["a1", "a2"],
        ["d1"],
    ]
    assert by_file([]) == []


def test_hopeless_hits_are_left_out_behind_the_first_of_a_file() -> None:
    files = by_file([hit("a1", 0.0), hit("a2", 0.5), hit("a3", 0.001), hit("a4", 0.02)])

    assert [other.id for other in files[0].others] == ["a2", "a4"]


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"path": "会社/報告書.pdf", "page": 12, "line": 3}, "会社/報告書.pdf p.12"),
        ({"path": "notes.md", "line": 40}, "notes.md:40"),
        ({"path": "家計.xlsx", "sheet": "四月", "row": 7}, "家計.xlsx 四月!7"),
        ({"path": "notes.md"}, "notes.md"),
        ({"path": 5}, "a"),
        ({}, "a"),
    ],
)
def test_a_place_names_the_file_and_the_page_or_line(metadata: dict, place: str) -> None:
    assert place_of(hit("a1", **metadata)) == place
