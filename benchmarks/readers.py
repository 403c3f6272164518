r"""Which library reads Japanese PDF, Word, PowerPoint, Excel and HTML files best.

    pip install pypdf pdfminer.six pypdfium2 python-docx python-pptx openpyxl selectolax \
        trafilatura lxml_html_clean 'markitdown[docx,pdf,pptx,xlsx]'
    python benchmarks/readers.py [--json FILE]

The samples are made here. For each sample and library: the share of the lines that come out whole
once white space is left out (`lines`), the share of neighbouring lines that come out in their
order (`order`), and the milliseconds it took. Of a saved page also the share of what stands around
the main text that comes out as well (`around`): less is better. Ours uses the standard library,
except for PDF.
"""

import argparse
import io
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

from environment import environment
from japanese_pdf import Placed, kana, pdf_of, pdf_of_lines

RESULTS = Path(__file__).parent / "results"
LINES = [
    "就業規則の改定について",
    "本規程は、従業員の労働条件及び服務規律を定めるものとする。",
    "年次有給休暇は、入社日から起算して六箇月後に十日を付与する。",
    "健康診断は毎年五月に実施し、受診日は二週間前までに通知する。",
    "電気代の精算は、月末締め翌月十五日払いとする。",
    "連絡先は総務部（内線１２３４）、又は soumu@example.jp まで。",
    "①届出書 ②承認書 ～ 髙橋・渡邉・﨑の表記に注意すること。",
    "コンピューター、サーバー及びネットワークの利用を含む。",
]
Read = Callable[[bytes], str]


def pdf(cmap: str, codec: str) -> bytes:
    """Return a PDF of two pages with the lines."""
    return pdf_of_lines([LINES, LINES], cmap, codec)


def two_columns(*, by_row: bool) -> bytes:
    """Return a PDF with the second half of the lines next to the first, drawn in either order."""
    half = len(LINES) // 2
    placed = [
        Placed(line[:20], 40 if n < half else 320, 780 - 20 * (n % half))
        for n, line in enumerate(LINES)
    ]
    page = sorted(placed, key=lambda line: (-line.y, line.x)) if by_row else placed
    return pdf_of([page, page], "UniJIS-UCS2-H", "utf-16-be")


def tiers() -> bytes:
    """Return a PDF of vertical lines in two tiers, drawn from the right without regard to them."""
    half = len(LINES) // 2
    placed = [
        Placed(line[:20], 550 - 30 * (n % half), 780 if n < half else 420)
        for n, line in enumerate(LINES)
    ]
    page = sorted(placed, key=lambda line: -line.x)
    return pdf_of([page, page], "90ms-RKSJ-V", "cp932")


def docx() -> bytes:
    """Return a Word file with headings, paragraphs and a table."""
    import docx

    document = docx.Document()
    document.add_heading(LINES[0], 1)
    for line in LINES[1:6]:
        document.add_paragraph(line)
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = LINES[6:]
    return saved(document.save)


def pptx() -> bytes:
    """Return a PowerPoint file with a title, a list and notes."""
    import pptx

    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text = LINES[0]
    slide.placeholders[1].text = "\n".join(LINES[1:7])
    slide.notes_slide.notes_text_frame.text = LINES[7]
    return saved(slides.save)


def xlsx() -> bytes:
    """Return an Excel file with one line a row."""
    import openpyxl

    book = openpyxl.Workbook()
    for number, line in enumerate(LINES):
        book.active.append([line, number])
    return saved(book.save)


def html() -> bytes:
    """Return a page with navigation, script and ruby."""
    body = "".join(f"<p>{line}</p>" for line in LINES[1:]).replace(
        "規程", "<ruby>規程<rt>きてい</rt></ruby>"
    )
    return f"<nav>案内</nav><script>x='<p>'</script><h1>{LINES[0]}</h1>{body}".encode()


AROUND = [
    "トップページへ戻る",
    "メールマガジンに登録する",
    "この記事を共有する",
    "人気の記事: 紅葉の名所",
    "当サイトではクッキーを使用します",
    "著作権 山の手帖編集部",
]


def article() -> bytes:
    """Return a page as a browser saves it: the lines, with what stands around them on a site."""
    top, letter, share, popular, cookies, rights = AROUND
    body = "".join(f"<p>{line}</p>" for line in LINES[1:])
    return (
        f"<html lang=ja><head><title>{LINES[0]}</title></head><body><header><a href=/>{top}</a>"
        f"</header><nav><ul><li><a href=/m>{letter}</a></ul></nav><article><h1>{LINES[0]}</h1>"
        f'{body}<div class="share-buttons"><a href=/s>{share}</a></div></article><aside>'
        f'<a href=/p>{popular}</a></aside><div id="cookie-notice" role="dialog">{cookies}</div>'
        f"<footer>{rights}</footer></body></html>"
    ).encode()


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    """Return what a function writes."""
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def ours(suffix: str) -> Read:
    """Return our reader of a kind, as text."""
    from konayuki.ingest.kinds import kind_of

    def read(content: bytes) -> str:
        kind = kind_of(f"a{suffix}")
        (outline,) = kind.read(content, f"a{suffix}")
        parts = [outline.title] + [f"{' '.join(s.headings)}\n{s.text}" for s in outline.sections]
        return "\n".join(parts)

    return read


def with_pypdf(content: bytes) -> str:
    """Read with pypdf."""
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def with_pdfminer(content: bytes) -> str:
    """Read with pdfminer.six."""
    from pdfminer.high_level import extract_text

    return extract_text(io.BytesIO(content))


def with_pdfium(content: bytes) -> str:
    """Read with pypdfium2."""
    from pypdfium2 import PdfDocument

    pages = PdfDocument(content)
    return "\n".join(page.get_textpage().get_text_bounded() for page in pages)


def with_docx(content: bytes) -> str:
    """Read with python-docx: paragraphs, then tables."""
    import docx

    document = docx.Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def with_pptx(content: bytes) -> str:
    """Read with python-pptx."""
    import pptx

    lines = []
    for slide in pptx.Presentation(io.BytesIO(content)).slides:
        lines += [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
        if slide.has_notes_slide:
            lines.append(slide.notes_slide.notes_text_frame.text)
    return "\n".join(lines)


def with_openpyxl(content: bytes) -> str:
    """Read with openpyxl."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    rows = [row for sheet in book for row in sheet.iter_rows(values_only=True)]
    return "\n".join(str(cell) for row in rows for cell in row if cell is not None)


def with_selectolax(content: bytes) -> str:
    """Read with selectolax."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(content)
    tree.strip_tags(["script", "style", "nav", "rt", "rp"])
    return tree.body.text(separator="\n", strip=True)


def with_trafilatura(content: bytes) -> str:
    """Read with trafilatura, which looks for the main text."""
    import trafilatura

    return trafilatura.extract(content, include_comments=False) or ""


def with_markitdown(suffix: str) -> Read:
    """Return a reader of a kind with markitdown, which makes Markdown of everything."""

    def read(content: bytes) -> str:
        from markitdown import MarkItDown

        stream = io.BytesIO(content)
        return MarkItDown().convert_stream(stream, file_extension=suffix).markdown

    return read


PDF = {
    "pypdf": with_pypdf,
    "pdfminer.six": with_pdfminer,
    "pypdfium2": with_pdfium,
    "markitdown": with_markitdown(".pdf"),
    "ours": ours(".pdf"),
}
HTML = {
    "ours": ours(".html"),
    "selectolax": with_selectolax,
    "trafilatura": with_trafilatura,
    "markitdown": with_markitdown(".html"),
}
SAMPLES: dict[str, tuple[Callable[[], bytes], dict[str, Read]]] = {
    "PDF, UniJIS-UCS2-H": (lambda: pdf("UniJIS-UCS2-H", "utf-16-be"), PDF),
    "PDF, 90ms-RKSJ-H": (lambda: pdf("90ms-RKSJ-H", "cp932"), PDF),
    "PDF, 90ms-RKSJ-V (vertical)": (lambda: pdf("90ms-RKSJ-V", "cp932"), PDF),
    "PDF, Identity-H without ToUnicode": (lambda: pdf("Identity-H", "japan1"), PDF),
    "PDF, two columns": (lambda: two_columns(by_row=False), PDF),
    "PDF, two columns drawn row by row": (lambda: two_columns(by_row=True), PDF),
    "PDF, vertical in two tiers": (tiers, PDF),
    "Word": (
        docx,
        {"ours": ours(".docx"), "python-docx": with_docx, "markitdown": with_markitdown(".docx")},
    ),
    "PowerPoint": (
        pptx,
        {"ours": ours(".pptx"), "python-pptx": with_pptx, "markitdown": with_markitdown(".pptx")},
    ),
    "Excel": (
        xlsx,
        {"ours": ours(".xlsx"), "openpyxl": with_openpyxl, "markitdown": with_markitdown(".xlsx")},
    ),
    "HTML": (html, HTML),
    "HTML, a saved article": (article, HTML),
}


def measure(content: bytes, read: Read, lines: list[str]) -> dict[str, object]:
    """Return how well one library reads one sample."""
    start = time.perf_counter()
    try:
        text = "".join(read(content).split()).replace("〜", "～")  # PDFium takes one for the other
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    seconds = time.perf_counter() - start
    bare = ["".join(line.split()) for line in lines]
    pairs = list(itertools.pairwise(bare))
    ordered = [0 <= text.find(first) < text.find(second) for first, second in pairs]
    around = sum("".join(line.split()) in text for line in AROUND) / len(AROUND)
    return {
        **({"around": round(around, 2)} if AROUND[0] in content.decode("utf-8", "ignore") else {}),
        "lines": round(sum(line in text for line in bare) / len(bare), 2),
        "order": round(sum(ordered) / len(pairs), 2),
        "ms": round(1e3 * seconds, 1),
    }


def main() -> None:
    """Compare and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, default=RESULTS / "readers.json")
    args = parser.parse_args()
    table = []
    for sample, (make, readers) in SAMPLES.items():
        content = make()
        cut = "columns" in sample or "tiers" in sample
        lines = [line[:20] for line in LINES] if cut else LINES
        if "Identity" in sample:
            lines = [kana(line) for line in LINES if len(kana(line)) > 3]
        for library, read in readers.items():
            measure(content, read, lines)  # imports the library
            line = {"sample": sample, "library": library, **measure(content, read, lines)}
            table.append(line)
            print(line)
    packages = [
        "pypdf",
        "pdfminer.six",
        "pypdfium2",
        "python-docx",
        "python-pptx",
        "openpyxl",
        "selectolax",
        "trafilatura",
        "markitdown",
    ]
    report = {"environment": environment(packages), "table": table}
    args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
