"""Notebooks, Org, AsciiDoc, subtitles, JSON and source code."""

import json

import pytest

from konayuki.errors import FormatError
from konayuki.ingest.kinds import kind_of
from konayuki.ingest.outline import Outline


def read(name: str, text: str) -> Outline:
    kind = kind_of(name)
    assert kind is not None
    (outline,) = kind.read(text.encode(), name)
    return outline


def sections(outline: Outline) -> list[tuple[tuple[str, ...], str]]:
    return [(section.headings, section.text) for section in outline.sections]


def test_a_notebook_is_its_notes_and_code():
    cells = [
        {"cell_type": "markdown", "source": ["# 集計\n", "## 方法\n", "平均を取る。"]},
        {"cell_type": "code", "source": "# 見出しではない\nx = 1", "outputs": [{"text": "長い"}]},
    ]
    outline = read("a.ipynb", json.dumps({"cells": cells}))
    assert outline.title == "集計"
    assert sections(outline) == [(("方法",), "平均を取る。\n\n# 見出しではない\nx = 1")]


def test_org_and_asciidoc_have_headings():
    outline = read("a.org", "#+TITLE: 日記\n* TODO 山 :旅:\n本文\n** 道\n続き")
    assert outline.title == "日記"
    assert sections(outline) == [(("山",), "本文"), (("山", "道"), "続き")]
    outline = read("a.adoc", "= 手引き\n前書き\n\n== 導入\n本文\n====\n例\n====")
    assert outline.title == "手引き"
    assert sections(outline) == [((), "前書き"), (("導入",), "本文\n====\n例\n====")]


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_subtitles_are_what_is_said_minute_by_minute(name: str):
    lines = (
        "1\n00:00:01,500 --> 00:00:02,000\n<i>こんにちは</i>\n\n"
        "2\n00:01:05,000 --> 00:01:06,000\n山へ行く。\n"
    )
    text = f"WEBVTT\n\n{lines.replace(',', '.')}" if name.endswith("vtt") else lines
    assert sections(read(name, text)) == [(("00:00",), "こんにちは"), (("00:01",), "山へ行く。")]


def test_json_is_its_leaves_with_their_keys():
    outline = read("a.json", '{"会社": {"電話": ["03", "06"], "社員": 5}, "空": null}')
    assert sections(outline) == [((), "会社.電話: 03\n会社.電話: 06\n会社.社員: 5")]


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "{"), ("a.json", "[" * 100_000), ("a.ipynb", "[]")]
)
def test_what_is_not_such_a_file_is_named(name: str, text: str):
    with pytest.raises(FormatError, match=rf"^{name}: "):
        read(name, text)
