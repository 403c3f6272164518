"""Files into text and records."""

import json
from pathlib import Path

import pytest

from konayuki.errors import FormatError, NotFoundError
from konayuki.files import read_bytes
from konayuki.ingest import Cutting, find_files, read_records
from konayuki.ingest.html import html_outline
from konayuki.ingest.records import Remarks
from konayuki.ingest.walk import LeftOut
from konayuki.text import decode

TEXT = "富士山は、日本で一番高い山である。カタカナとひらがな。"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp", "utf-16", "utf-32"],
)
def test_japanese_encodings_are_recognised(encoding: str):
    assert decode(TEXT.encode(encoding), "file") == TEXT


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize("text", ["日本語", "漢字だけ", "東京特許許可局", "あ", "山と川 ABC"])
def test_short_text_is_recognised_too(encoding: str, text: str):
    assert decode(text.encode(encoding), "file") == text


def test_what_is_no_text_is_refused_by_name(tmp_path: Path):
    (tmp_path / "a.bin").write_bytes(b"\x00\x01")
    with pytest.raises(FormatError, match=r"a\.bin: holds zero bytes"):
        decode(read_bytes(tmp_path / "a.bin"), "a.bin")
    with pytest.raises(FormatError, match=r"x: byte 3 is neither UTF-8 nor(.|\n)*hint: iconv"):
        decode(b"abc\xff\xff\xff", "x")
    with pytest.raises(NotFoundError, match="nowhere"):
        read_bytes(tmp_path / "nowhere")


def test_html_gives_what_a_reader_sees():
    outline = html_outline(
        "<!doctype html><html><head><title>題 &amp; 名</title><style>p{}</style></head>"
        "<body><nav>案内</nav><h1>題 &amp; 名</h1><p>本文\n <b>太字</b>。<br>次の行</p>"
        "<script>alert('x')</script><h2>節 <i>一</i></h2><pre>a\n  b</pre>"
        "<table><tr><td>甲<td>乙</table>"
    )
    assert outline.title == "題 & 名"
    first, second = outline.sections
    assert (first.headings, first.text) == ((), "本文 太字。\n次の行")
    assert second.headings == ("節 一",)
    assert second.text.split() == ["a", "b", "甲", "乙"]
    assert "  b" in second.text


@pytest.mark.parametrize(
    "html",
    [
        "<ruby>向日葵<rt>ひまわり</rt></ruby>が咲く",
        "<ruby>向日葵<rp>(</rp><rt>ひまわり</rt><rp>)</rp></ruby>が咲く",
        "<ruby>向<rt>ひ<rb>日葵<rt>まわり</ruby>が咲く",
        "<ruby>向<rt>ひ</rt>日葵<rp>(<rt>まわり<rp>)</ruby>が咲く",
        "<p><ruby>向日葵<rt>ひまわり<p>が咲く",
    ],
)
def test_readings_above_kanji_are_no_text(html: str):
    (section,) = html_outline(html).sections
    assert section.text.replace("\n", "") == "向日葵が咲く"


@pytest.mark.parametrize(
    "html", ["<p>本文", "本文", "<title>", "<h1><h2></p></div>本文", "<<<>本文"]
)
def test_broken_html_gives_what_can_be_read(html: str):
    text = "".join(section.text for section in html_outline(html).sections)
    assert text.endswith("本文") or html == "<title>"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_folders_are_searched_for_known_files_once_and_in_order(tmp_path: Path):
    for name in ("b.md", "a.txt", "sub/c.HTML", ".hidden/d.md", "e.bin", ".f.md"):
        write(tmp_path / name, "文")
    found = list(find_files([tmp_path, tmp_path / "a.txt", tmp_path / "e.bin"]))
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a.txt", "b.md", "sub/c.HTML", "e.bin",
    ]  # fmt: skip
    left_out = LeftOut()
    list(find_files([tmp_path], left_out=left_out))
    assert left_out.others == [tmp_path / "e.bin"]
    with pytest.raises(NotFoundError, match="nowhere"):
        list(find_files([tmp_path / "nowhere"]))


def test_a_document_becomes_passages_that_know_their_place(tmp_path: Path):
    path = write(tmp_path / "guide.md", f"# 手引き\n## 一\n{'文である。' * 5}\n## 二\n終わり。")
    records = list(read_records(path, Cutting(size=15)))
    name = path.as_posix()
    assert [r["id"] for r in records] == [f"{name}#{n}" for n in range(3)]
    assert [r["heading"] for r in records] == ["一", "一", "二"]
    assert {(r["title"], r["chunk_of"], r["metadata"]["path"]) for r in records} == {
        ("手引き", name, name)
    }


def test_a_text_without_title_is_named_after_its_file(tmp_path: Path):
    (record,) = read_records(write(tmp_path / "メモ.txt", "本文"))
    assert (record["title"], record["text"]) == ("メモ", "本文")


def test_rows_of_a_table_are_records(tmp_path: Path):
    path = write(tmp_path / "t.csv", 'id,text,lang\n1,"一行目\n続き",ja\n,二,en\n')
    first, second = read_records(path)
    assert first == {
        "id": "1", "text": "一行目\n続き", "metadata": {
            "lang": "ja", "path": path.as_posix(), "line": 3, "keywords": ["t"],
        },
    }  # fmt: skip
    assert second["id"] == f"{path.as_posix()}:4"
    (tab,) = read_records(write(tmp_path / "t.tsv", "text\ttitle\n本文\t題\n"))
    assert (tab["text"], tab["title"]) == ("本文", "題")


def test_lines_of_json_are_records(tmp_path: Path):
    lines = [{"id": 7, "text": "短い\u2028文", "year": 2024, "metadata": {"a": 1}},
             {"id": "long", "text": "長い文。" * 10, "title": "題"}]  # fmt: skip
    body = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    records = list(read_records(write(tmp_path / "x.jsonl", body), Cutting(size=20)))
    assert records[0]["id"] == "7"
    assert records[0]["metadata"] == {
        "year": 2024, "a": 1, "path": (tmp_path / "x.jsonl").as_posix(), "line": 1,
        "keywords": ["x"],
    }  # fmt: skip
    assert [r["id"] for r in records[1:]] == ["long#0", "long#1"]
    assert {(r["chunk_of"], r["title"]) for r in records[1:]} == {("long", "題")}


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"id": 0}, "0"),
        ({"id": None}, "{path}:1"),
        ({"id": ""}, "{path}:1"),
        ({}, "{path}:1"),
        ({"_id": "b7"}, "b7"),
        ({"_id": "b7", "id": "own"}, "own"),
    ],
)
def test_an_id_is_kept_and_else_made_of_file_and_line(tmp_path: Path, fields: dict, identity: str):
    path = write(tmp_path / "x.jsonl", json.dumps({**fields, "text": "文"}))
    (record,) = read_records(path)
    assert record["id"] == identity.format(path=path.as_posix())
    assert record["metadata"].get("_id") == ("b7" if "own" in fields.values() else None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "id,text,title,lang\n1,山,,ja\n2,,,ja\n3, \u3000,,ja\n4,,題,ja\n"),
        ("t.jsonl", '{"id": 1, "text": "山"}\n{"id": 2, "text": ""}\n{"text": "\u200b"}\n'
                    '{"id": 4, "text": "", "title": "題"}'),
    ],
)  # fmt: skip
def test_empty_rows_are_counted_and_left_out(tmp_path: Path, name: str, text: str):
    remarks = Remarks()
    records = list(read_records(write(tmp_path / name, text), remarks=remarks))
    assert [record["id"] for record in records] == ["1", "4"]
    assert remarks.n_empty == 2


def test_of_rows_with_one_id_the_last_counts_and_is_noted(tmp_path: Path):
    lines = ['{"id": "r", "text": "長い文になった。もう一つの文。"}', '{"id": "s", "text": "湖"}',
             '{"id": "r", "text": "短い。"}']  # fmt: skip
    remarks = Remarks()
    path = write(tmp_path / "x.jsonl", "\n".join(lines))
    records = list(read_records(path, Cutting(size=10), remarks))
    assert [(record["id"], record["text"]) for record in records] == [("s", "湖"), ("r", "短い。")]
    assert remarks.repeated == ["r"]


def test_a_path_of_the_rows_own_gives_way_and_is_noted(tmp_path: Path):
    lines = ['{"text": "山", "path": "/home"}', '{"text": "湖", "metadata": {"path": 1}}',
             '{"text": "川"}']  # fmt: skip
    remarks = Remarks()
    path = write(tmp_path / "x.jsonl", "\n".join(lines))
    records = list(read_records(path, remarks=remarks))
    assert {record["metadata"]["path"] for record in records} == {path.as_posix()}
    assert remarks.n_paths == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": ', r"a\.jsonl line 2: .*expected a JSON object"),
        ("a.jsonl", "[1]", r"line 1: list instead of an object: expected a JSON object"),
        ("a.jsonl", '{"text": 1}', r"line 1: 'text' is 1 .*: expected a string"),
        ("a.jsonl", '{"text": "a", "metadata": 1}', r":1: 'metadata' is 1"),
        ("a.jsonl", '{"text": "a", "position": -1}', r"a\.jsonl:1: .*'position' is -1"),
        ("a.csv", "id,body\n1,2\n", r"a\.csv: no column with text: expected one called 'text'"),
        ("a.csv", "", r"columns are missing"),
        ("a.csv", "id,text\n1,a,b\n", r"line 2 has \d cells: the header has 2"),
        ("a.csv", "id,text\n1\n", r"line 2 has \d cells: the header has 2"),
        ("a.csv", 'id,text\n1,"a', r"a\.csv line \d: unexpected end"),
    ],
)
def test_a_row_that_is_no_record_is_named(tmp_path: Path, name: str, text: str, message: str):
    with pytest.raises(FormatError, match=message):
        list(read_records(write(tmp_path / name, text)))
