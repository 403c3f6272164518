"""Word, PowerPoint and Excel files, made of the XML that these programs write."""

import io
import tracemalloc
import zipfile

import pytest

from konayuki.errors import FormatError
from konayuki.ingest.office import read_docx, read_pptx, read_xlsx
from konayuki.ingest.outline import Outline

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def archive(**parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, xml in parts.items():
            file.writestr(name, xml)
    return buffer.getvalue()


def relations(*targets: str) -> str:
    lines = [f'<Relationship Id="r{n}" Target="{target}"/>' for n, target in enumerate(targets)]
    return f"<Relationships>{''.join(lines)}</Relationships>"


def paragraph(text: str, style: str = "") -> str:
    style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{style}<w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(body: str) -> bytes:
    return archive(
        **{
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f'<w:styles {W}><w:style w:styleId="1"><w:name w:val="heading 1"/>'
            '</w:style><w:style w:styleId="a"><w:name w:val="Title"/></w:style></w:styles>',
            "docProps/core.xml": "<p><title></title></p>",
        }
    )


def read(items: list) -> Outline:
    (outline,) = items
    return outline


def test_a_word_file_has_title_headings_tables_and_no_readings():
    ruby = (
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>きてい</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>規程</w:t>"
        "</w:r></w:rubyBase></w:ruby></w:r><w:r><w:tab/><w:t>です。</w:t></w:r></w:p>"
    )
    cell = f"<w:tc>{paragraph('甲')}</w:tc><w:tc>{paragraph('乙')}</w:tc>"
    table = f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>"
    deleted = "<w:p><w:del><w:r><w:delText>消した</w:delText></w:r></w:del></w:p>"
    body = paragraph("就業規則", "a") + ruby + paragraph("休暇", "1") + deleted + table
    outline = read(read_docx(docx(body), "a.docx"))
    assert outline.title == "就業規則"
    assert [(section.headings, section.text) for section in outline.sections] == [
        ((), "規程\tです。"), (("休暇",), "甲 | 乙"),
    ]  # fmt: skip


def test_slides_come_in_the_order_of_the_talk():
    def slide(title: str, text: str) -> str:
        shapes = f'<sp><nvPr><ph type="title"/></nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></sp>'
        return f"<sld {A}>{shapes}<sp><a:p><a:r><a:t>{text}</a:t></a:r></a:p></sp></sld>"

    content = archive(
        **{
            "ppt/presentation.xml": f'<p {R}><sldId r:id="r1"/><sldId r:id="r0"/></p>',
            "ppt/_rels/presentation.xml.rels": relations(
                "slides/slide1.xml", "/ppt/slides/slide2.xml"
            ),
            "ppt/slides/slide1.xml": slide("終わり", "質問"),
            "ppt/slides/slide2.xml": slide("始め", "目次"),
            "ppt/slides/_rels/slide1.xml.rels": relations("../notesSlides/n1.xml"),
            "ppt/notesSlides/n1.xml": slide("", "ゆっくり話す"),
        }
    )
    first, second = read(read_pptx(content, "a.pptx")).sections
    assert (first.headings, first.text, first.metadata) == (
        ("1. 始め",),
        "始め\n目次",
        {"slide": 1},
    )
    assert (second.headings, second.text) == (("2. 終わり",), "終わり\n質問\n\nゆっくり話す")


def test_rows_of_sheets_have_the_names_of_their_columns():
    cells = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c>'
        '<c r="B1" t="inlineStr"><is><t>支払日</t></is></c></row>'
        '<row r="3"><c r="A3"><v>1200</v></c><c r="B3" s="1"><v>45383</v></c></row>'
    )
    content = archive(
        **{
            "xl/workbook.xml": f'<w {R}><sheet name="家計簿" r:id="r0"/></w>',
            "xl/_rels/workbook.xml.rels": relations("worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f"<s><sheetData>{cells}</sheetData></s>",
            "xl/sharedStrings.xml": "<s><si><r><t>電気</t></r><r><t>代</t></r>"
            "<rPh><t>デンキ</t></rPh></si></s>",
            "xl/styles.xml": '<s><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></s>',
        }
    )
    (row,) = read(read_xlsx(content, "a.xlsx")).sections
    assert row.headings == ("家計簿",)
    assert row.text == "電気代: 1200\n支払日: 2024-04-01"
    assert row.metadata == {"sheet": "家計簿", "row": 3}


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04", b"", docx("<w:p>")[:200], archive(), docx("</w:x>"),
        archive(**{"word/document.xml": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
    ],
)  # fmt: skip
def test_what_is_not_such_a_file_is_named(content: bytes):
    for reader in (read_docx, read_pptx, read_xlsx):
        with pytest.raises(FormatError, match=r"^a\.x: "):
            list(reader(content, "a.x"))


def test_many_bytes_in_few_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("konayuki.ingest.archive.MAX_BYTES", 100)
    with pytest.raises(FormatError, match="at most"):
        read_docx(docx(paragraph("あ") * 100), "a.docx")


def xlsx(sheet: str, strings: str = "<sst/>", styles: str = "<s/>") -> bytes:
    return archive(
        **{
            "xl/workbook.xml": f'<w {R}><sheet name="S" r:id="r0"/></w>',
            "xl/_rels/workbook.xml.rels": relations("s.xml"),
            "xl/s.xml": sheet,
            "xl/sharedStrings.xml": strings,
            "xl/styles.xml": styles,
        }
    )


@pytest.mark.parametrize("number", ["x", "9" * 5000, "-1", "²", ""])
def test_numbers_that_are_none_do_not_stop_a_spreadsheet(number: str):
    styles = (
        f'<s><numFmt numFmtId="{number}" formatCode="yy"/><cellXfs><xf numFmtId="{number}"/>'
        "</cellXfs></s>"
    )
    sheet = f'<w><row r="{number}"><c r="A1" s="0"><v>1</v></c></row></w>'
    (section,) = read(read_xlsx(xlsx(sheet, styles=styles), "a.xlsx")).sections
    assert (section.text, section.metadata["row"]) == ("1", 1)


def test_one_long_string_in_all_cells_does_not_fill_memory():
    strings = f"<sst><si><t>{'あ' * 1_000_000}</t></si></sst>"
    row = '<row><c r="A1" t="s"><v>0</v></c></row>'
    sheet = f"<w>{row * 300}</w>"
    with pytest.raises(FormatError, match="at most 256 MB"):
        read_xlsx(xlsx(sheet, strings), "a.xlsx")


def test_a_long_name_of_a_column_is_not_repeated_whole_in_every_row():
    row = '<row><c r="A1" t="str"><v>{}</v></c><c r="B1" t="str"><v>b</v></c></row>'
    sheet = f"<w>{row.format('あ' * 10_000)}{row.format('値') * 100}</w>"
    sections = read(read_xlsx(xlsx(sheet), "a.xlsx")).sections
    assert len(sections) == 100
    assert max(len(section.text) for section in sections) < 300


def test_elements_that_were_read_do_not_stay_in_memory():
    body = "<a/>" * 300_000
    tracemalloc.start()
    read_docx(archive(**{"word/document.xml": f"<w>{body}</w>"}), "a.docx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(body)


@pytest.mark.parametrize("encoding", ["bogus", "utf-7", "cp932", "hex"])
def test_odd_encodings_are_refused(encoding: str):
    xml = f'<?xml version="1.0" encoding="{encoding}"?><w/>'
    with pytest.raises(FormatError, match=r"a\.docx: not an Office file"):
        read_docx(archive(**{"word/document.xml": xml}), "a.docx")


def test_methods_of_compression_that_no_program_uses_are_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("word/document.xml", "<w/>")
    with pytest.raises(FormatError, match="method of compression 14"):
        read_docx(buffer.getvalue(), "a.docx")


def test_a_version_that_is_not_known_is_refused():
    content = archive(**{"word/document.xml": "<w/>"})
    place = content.rindex(b"PK\x01\x02") + 6
    with pytest.raises(FormatError, match="zip file version"):
        read_docx(content[:place] + b"\xff" + content[place + 1 :], "a.docx")
