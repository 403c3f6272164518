"""E-books (EPUB) into one document: its pages in the order in which they are read."""

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote

from konayuki.errors import FormatError
from konayuki.ingest.archive import Archive
from konayuki.ingest.html import html_outline
from konayuki.ingest.outline import Item, Outline, Section, shortened
from konayuki.text import decode

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html")


def read_epub(content: bytes, name: str) -> list[Item]:
    """Return the one document of an e-book; the headings of its pages, else their titles, stay.

    Raises:
        FormatError: It is not an EPUB, or protected against copying.
    """
    archive = Archive(content, name, "an EPUB")
    if "META-INF/encryption.xml" in archive and "META-INF/rights.xml" in archive:
        raise FormatError(f"{name}: protected against copying: expected an open EPUB")
    roots = archive.nodes(_CONTAINER, "rootfile")
    package = next((root.get("full-path", "") for root in roots), "")
    if package not in archive:
        raise FormatError(f"{name}: no package file: expected an EPUB")
    book = _Book(archive, package)
    sections: list[Section] = []
    readings: dict[tuple[str, str], None] = {}
    for page in book.pages():
        outline = html_outline(decode(archive.read(page), f"{name}: {page}"))
        readings.update(dict.fromkeys(outline.readings))
        for section in outline.sections:
            own = outline.title not in ("", book.title, *section.headings)
            headings = (outline.title, *section.headings) if own else section.headings
            sections.append(Section(headings, section.text))
    metadata = {key: value for key, value in book.facts.items() if value}
    if author := book.facts["author"]:
        metadata["keywords"] = author
    return [Outline(book.title, tuple(sections), metadata, readings=tuple(readings))]


class _Book:
    """What the package file of an e-book says.

    Attributes:
        title: The title of the book.
        facts: Author, publisher and date as far as they are given.
    """

    def __init__(self, archive: Archive, package: str) -> None:
        self._archive = archive
        self._folder = posixpath.dirname(package)
        self._paths: dict[str, str] = {}
        self._order: list[str] = []
        self.title = ""
        self.facts = {"author": "", "publisher": "", "date": ""}
        for event, node in archive.events(package):
            if event == "end":
                self._take(node.tag, node.text or "", dict(node.items()))

    def pages(self) -> Iterator[str]:
        """Yield the parts that are read, in order; each once, however often it is listed."""
        for path in dict.fromkeys(self._paths.get(key, "") for key in self._order):
            if path in self._archive:
                yield path

    def _take(self, tag: str, text: str, attributes: dict[str, str]) -> None:
        words = " ".join(text.split())
        if tag == "item" and attributes.get("media-type") in _PAGES:
            path = posixpath.join(self._folder, unquote(attributes.get("href", "")))
            if "nav" not in attributes.get("properties", "").split():
                self._paths[attributes.get("id", "")] = posixpath.normpath(path)
        elif tag == "itemref":
            self._order.append(attributes.get("idref", ""))
        elif tag == "title" and not self.title:
            self.title = shortened(words)
        else:
            key = "author" if tag == "creator" else tag
            if not self.facts.get(key, "?"):
                self.facts[key] = shortened(words)
