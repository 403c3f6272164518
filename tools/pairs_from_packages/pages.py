"""HTML and DocBook pages into sections: headings and terms with the text below them."""

from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

from pairs_from_packages.archives import Member
from pairs_from_packages.text import Section, decode, is_japanese, tidy, without_number

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
BLOCKS = {"p", "li", "td", "th", "div", "dd", "tr", "table", "ul", "ol", "section", "blockquote"}
VOID = {"br", "img", "hr", "input", "link", "meta", "col", "area", "base", "wbr", "source"}
# Code, navigation and tables of contents do not answer a heading.
UNREAD = {"script", "style", "pre", "nav", "head", "header", "footer", "button", "select"}
UNREAD_CLASSES = {
    *("navheader", "navfooter", "nav_table", "toc", "howtoget", "related", "sphinxsidebar"),
}
SHORT_FOREIGN = 15  # characters: names and commands stay, untranslated sentences do not


class _Reader(HTMLParser):
    """Collects sections; `dd` interrupts the text around it."""

    def __init__(self, inside: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: list[Section] = []
        self._inside = inside
        self._open: list[tuple[str, bool, bool]] = []  # tag, starts what is unread, what is read
        self._titles: dict[int, str] = {}  # by level
        self._collected: list[tuple[str, str, list[str]]] = [("", "", [])]  # parent, title, blocks
        self._block = ""
        self._title: str | None = None
        self._term = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            if tag == "br":
                self._block += "\n"
            return
        values = dict(attrs)
        classes = set((values.get("class") or "").split())
        unread = tag in UNREAD or bool(classes & UNREAD_CLASSES)
        self._open.append((tag, unread, values.get("id") == self._inside))
        if not self._reads():
            return
        if tag in BLOCKS:
            self._end_block()
        if tag in HEADINGS or tag == "dt":
            self._end_block()
            self._title = ""
        elif tag == "dd":
            self._collected.append((self._collected[-1][1], self._term, []))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {name for name, _, _ in self._open}:
            return
        reads = self._reads()
        while self._open.pop()[0] != tag:
            pass  # elements that the page never closed
        if not reads:
            return
        if tag in HEADINGS:
            self._start_section(int(tag[1]))
        elif tag == "dt":
            self._term, self._title = without_number(tidy(self._title or "")), None
        elif tag in BLOCKS:
            self._end_block()
            if tag == "dd" and len(self._collected) > 1:
                self._finish(self._collected.pop())

    def handle_data(self, data: str) -> None:
        if not self._reads():
            return
        if self._title is not None:
            self._title += data
        else:
            self._block += data

    def close(self) -> None:
        super().close()
        self._end_block()
        while self._collected:
            self._finish(self._collected.pop())

    def _reads(self) -> bool:
        if any(unread for _, unread, _ in self._open):
            return False
        return not self._inside or any(inside for _, _, inside in self._open)

    def _start_section(self, level: int) -> None:
        title, self._title = without_number(tidy(self._title or "")), None
        while self._collected:
            self._finish(self._collected.pop())
        self._titles = {key: value for key, value in self._titles.items() if key < level}
        parent = self._titles[max(self._titles)] if self._titles else ""
        self._titles[level] = title
        self._collected.append((parent, title, []))

    def _end_block(self) -> None:
        block, self._block = tidy(self._block), ""
        if block and (len(block) <= SHORT_FOREIGN or is_japanese(block)):
            self._collected[-1][2].append(block)

    def _finish(self, section: tuple[str, str, list[str]]) -> None:
        parent, title, blocks = section
        if title and blocks:
            self.sections.append(Section(parent, title, tidy("\n".join(blocks))))


def page_sections(page: str, *, inside: str = "") -> list[Section]:
    """Return the sections of a page in the order of their ends.

    Args:
        page: HTML or XHTML.
        inside: The id of the only element that is read; default: everything.
    """
    reader = _Reader(inside)
    reader.feed(page)
    reader.close()
    return reader.sections


def read_pages(members: Iterable[Member], *, inside: str = "") -> Iterator[Section]:
    """Yield the sections of the pages of a package."""
    for member in members:
        yield from page_sections(decode(member.content), inside=inside)
