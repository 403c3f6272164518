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
