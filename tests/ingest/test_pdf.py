"""PDF into pages."""

import sys
from pathlib import Path

import pytest

from konayuki.errors import FormatError
from konayuki.ingest.pdf import _without_frames, read_pdf

FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
from japanese_pdf import pdf_of_lines  # noqa: E402

sys.path.remove(FOLDER)
LINES = [
    "就業規則の改定について",
    "本規程は、従業員の労働条件を定める。",
    "①届出書 ～ 髙橋・﨑に注意。",
]


def pdf(cmap: str, codec: str) -> bytes:
    return pdf_of_lines([LINES, LINES], cmap, codec)


def test_lines_that_most_pages_share_are_left_out():
    pages = [f"社外秘\n第{n}章\n本文{letter}\n- {n} -" for n, letter in enumerate("甲乙丙丁")]
    assert _without_frames(pages) == ["本文甲", "本文乙", "本文丙", "本文丁"]
    assert _without_frames(["見出し\n本文", "見出し\n続き"]) == ["見出し\n本文", "見出し\n続き"]


@pytest.mark.parametrize(
    ("cmap", "codec"),
    [("90ms-RKSJ-H", "cp932"), ("UniJIS-UCS2-H", "utf-16-be")],
)
def test_pages_are_sections_whatever_the_encoding(cmap: str, codec: str):
    pytest.importorskip("pypdfium2")
    (outline,) = read_pdf(pdf(cmap, codec), "a.pdf")
    assert [(s.headings, s.metadata) for s in outline.sections] == [
        (("p.1",), {"page": 1}), (("p.2",), {"page": 2}),
    ]  # fmt: skip
    assert outline.sections[0].text.split("\n")[:3] == LINES[:3]


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.4", pdf("90ms-RKSJ-H", "cp932").replace(b"Tj", b"  ")]
)
def test_what_cannot_be_read_is_named(content: bytes):
    pytest.importorskip("pypdfium2")
    with pytest.raises(FormatError, match=r"^a\.pdf: "):
        read_pdf(content, "a.pdf")


def test_vertical_text_is_read_from_the_right_to_the_left():
    pytest.importorskip("pypdfium2")
    (outline,) = read_pdf(pdf("90ms-RKSJ-V", "cp932"), "a.pdf")
    assert outline.sections[0].text.split("\n") == [
        line.replace(" ", "").replace("～", "〜") for line in LINES
    ]


def test_a_reader_that_dies_hangs_or_takes_too_much_costs_only_the_file(monkeypatch):
    pytest.importorskip("pypdfium2")
    content = pdf("90ms-RKSJ-H", "cp932")
    monkeypatch.setattr("konayuki.ingest.pdf._READ", "import os; os.abort()")
    with pytest.raises(FormatError, match=r"^a\.pdf: PDFium gave up \(exit code "):
        read_pdf(content, "a.pdf")
    monkeypatch.setattr("konayuki.ingest.pdf._READ", "import time; time.sleep(60)")
    monkeypatch.setattr("konayuki.ingest.pdf.LIMIT_S", 0.5)
    with pytest.raises(FormatError, match="not read within"):
        read_pdf(content, "a.pdf")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_memory_is_limited(monkeypatch):
    pytest.importorskip("pypdfium2")
    read = (
        "import runpy, sys; main = runpy.run_path(sys.argv[1])['main']\n"
        "main.__globals__['read'] = lambda content: bytearray(3 << 30)\nmain()"
    )
    monkeypatch.setattr("konayuki.ingest.pdf._READ", read)
    with pytest.raises(FormatError, match="more than 2048 MB of memory"):
        read_pdf(b"", "a.pdf")
