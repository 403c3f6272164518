"""PDFs of Japanese text without a map to Unicode, as many programs of the last decades wrote them.

Nothing but the standard library: tests make their samples here as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

Lines = Sequence[str]


class Placed(NamedTuple):
    """A line of text and where it starts on its page, in points from the lower left corner."""

    text: str
    x: float
    y: float


def pdf_of_lines(pages: Sequence[Lines], cmap: str = "90ms-RKSJ-H", codec: str = "cp932") -> bytes:
    """Return a PDF of pages with lines from the top, or columns from the right.

    Args:
        pages: The lines of each page.
        cmap: The predefined map of the codes of characters; one for vertical writing ends with V.
        codec: Python's name for these codes; "japan1" has those of hiragana alone.
    """
    if cmap.endswith("V"):
        placed = [[Placed(line, 550 - 30 * n, 780) for n, line in enumerate(p)] for p in pages]
    else:
        placed = [[Placed(line, 40, 780 - 20 * n) for n, line in enumerate(p)] for p in pages]
    return pdf_of(placed, cmap, codec)


def pdf_of(
    pages: Sequence[Sequence[Placed]], cmap: str = "90ms-RKSJ-H", codec: str = "cp932"
) -> bytes:
    """Return a PDF of lines that stand anywhere on their pages, drawn in this order."""
    n_pages = len(pages)
    font = 3 + 2 * n_pages
    kids = " ".join(f"{3 + n} 0 R" for n in range(n_pages))
    info = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >>"
    sheets = [
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {3 + n_pages + n} 0 R "
        f"/Resources << /Font << /F {font} 0 R >> >> >>"
        for n in range(n_pages)
    ]
    streams = [_stream(page, codec) for page in pages]
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {n_pages} >>",
        *sheets,
        *(f"<< /Length {len(s)} >>\nstream\n{s}\nendstream" for s in streams),
        f"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light /Encoding /{cmap} "
        f"/DescendantFonts [{font + 1} 0 R] >>",
        f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light {info} "
        f"/FontDescriptor {font + 2} 0 R >>",
        "<< /Type /FontDescriptor /FontName /Ryumin-Light /Flags 6 /FontBBox [0 -200 1000 900] "
        "/ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
    ]
    return _assembled(objects)


def kana(line: str) -> str:
    """Return the hiragana of a line."""
    return "".join(letter for letter in line if "\u3041" <= letter <= "\u3093")


def _stream(page: Sequence[Placed], codec: str) -> str:
    operators = ["BT /F 11 Tf"]
    for text, x, y in page:
        operators.append(f"1 0 0 1 {x:g} {y:g} Tm <{_encoded(text, codec).hex()}> Tj")
    return "\n".join([*operators, "ET"])


def _encoded(line: str, codec: str) -> bytes:
    if codec != "japan1":
        return line.encode(codec)
    return b"".join((842 + ord(letter) - 0x3041).to_bytes(2, "big") for letter in kana(line))


def _assembled(objects: list[str]) -> bytes:
    """Return a PDF of these objects, the first of which is the catalogue."""
    content = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return content + f"{end}startxref\n{len(content)}\n%%EOF\n".encode()
