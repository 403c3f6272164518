"""PDF into pages."""

import sys
from pathlib import Path

import pytest

from konayuki.errors import FormatError
from konayuki.ingest.pdf import _without_frames, read_pdf

FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
from japanese_pdf import Placed, pdf_of, pdf_of_lines  # noqa: E402

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


LONG = [f"第{n}の行はこの段の端まで続く長い文章である" for n in "一二三四五六七八"]


def page_text(placed: list[Placed], cmap: str = "90ms-RKSJ-H") -> list[str]:
    pytest.importorskip("pypdfium2")
    (outline,) = read_pdf(pdf_of([placed], cmap, "cp932"), "a.pdf")
    return outline.sections[0].text.split("\n")


def side_by_side(left: list[str], right: list[str], top: float = 700) -> list[Placed]:
    return [
        Placed(text, x, top - 20 * n)
        for n, row in enumerate(zip(left, right, strict=True))
        for text, x in zip(row, (40, 320), strict=True)
    ]


def test_two_columns_drawn_row_by_row_are_read_one_after_the_other():
    title = "二つの段の上に立つ題はこの頁の左の端から右の端までの広い幅を占める一行の見出しである"
    between = "段の間に立つ中見出しもまた同じようにこの頁の左の端から右の端までの幅を占めている行"
    page = [
        Placed(title, 40, 760),
        *side_by_side(LONG[:4], LONG[4:]),
        Placed(between, 40, 600),
        *side_by_side(LONG[:4], LONG[4:], top=560),
    ]
    assert page_text(page) == [title, *LONG, between, *LONG]


def test_tables_are_read_row_by_row():
    cells = side_by_side(
        ["一月の電気代", "二月の電気代", "三月の電気代"], ["9800円", "10200円", "870円"]
    )
    assert [line.split()[0] for line in page_text(cells)] == [
        "一月の電気代", "二月の電気代", "三月の電気代",
    ]  # fmt: skip
    long_and_short = side_by_side(LONG[:4], ["可", "不可", "可", "可"])
    assert page_text(long_and_short)[0].startswith(LONG[0])
    assert page_text(long_and_short)[0].endswith("可")


def test_vertical_text_in_tiers_is_read_tier_by_tier():
    upper, lower = ["上の段の初めの行", "上の段の次の行で", "上の段はここまで"], LONG[:3]
    page = [Placed(line, 550 - 30 * n, 780) for n, line in enumerate(upper)]
    page += [Placed(line, 550 - 30 * n, 400) for n, line in enumerate(lower)]
    rows = [line for pair in zip(page[:3], page[3:], strict=True) for line in pair]
    assert page_text(rows, "90ms-RKSJ-V") == [*upper, *lower]


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
