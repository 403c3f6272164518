"""E-books into one document."""

import io
import zipfile

import pytest

from konayuki.errors import FormatError
from konayuki.ingest.epub import read_epub
from konayuki.ingest.records import records_of

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>山の本</dc:title>
<dc:creator>山野辺 歩</dc:creator><dc:date>2024</dc:date></metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="two" href="text/%E7%AC%AC2.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/1.xhtml" media-type="application/xhtml+xml"/>
<item id="css" href="a.css" media-type="text/css"/></manifest>
<spine><itemref idref="one"/><itemref idref="two"/><itemref idref="gone"/></spine></package>"""
FIRST = """<?xml version="1.0"?><!DOCTYPE html><html><head><title>山の本</title></head>
<body><h1>支度</h1><p><ruby>背嚢<rp>(</rp><rt>はいのう</rt><rp>)</rp></ruby>に水を入れる。</p></body>
</html>"""
SECOND = "<html><head><title>下山</title></head><body><p>膝を傷めない。</p></body></html>"
PAGES = {
    "OEBPS/nav.xhtml": "<html><body><p>目次</p></body></html>",
    "OEBPS/text/1.xhtml": FIRST,
    "OEBPS/text/第2.xhtml": SECOND,
}


def epub(**others: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        parts = {"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": PACKAGE, **PAGES, **others}
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_pages_come_in_the_order_of_reading():
    (outline,) = read_epub(epub(), "a.epub")
    assert (outline.title, outline.metadata["author"]) == ("山の本", "山野辺 歩")
    assert [(section.headings, section.text) for section in outline.sections] == [
        (("支度",), "背嚢に水を入れる。"), (("下山",), "膝を傷めない。"),
    ]  # fmt: skip
    assert outline.readings == (("背嚢", "はいのう"),)


def test_author_and_readings_are_found_by_the_passage_that_has_them():
    first, second = records_of(epub(), "本棚/a.epub")
    assert first["metadata"]["keywords"] == ["山野辺 歩", "a はいのう"]
    assert second["metadata"]["keywords"] == ["山野辺 歩", "a"]


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", epub(**{"META-INF/container.xml": "<a/>"}),
     epub(**{"META-INF/encryption.xml": "<a/>", "META-INF/rights.xml": "<a/>"})],
)  # fmt: skip
def test_what_cannot_be_read_is_named(content: bytes):
    with pytest.raises(FormatError, match=r"^a\.epub: "):
        read_epub(content, "a.epub")


def test_a_page_that_is_listed_again_and_again_is_read_once():
    package = PACKAGE.replace("<spine>", "<spine>" + '<itemref idref="one"/>' * 1000)
    (outline,) = read_epub(epub(**{"OEBPS/book.opf": package}), "a.epub")
    assert len(outline.sections) == 2
