"""HTML into the text that a reader sees, cut at its headings."""

import re
from html.parser import HTMLParser

from konayuki.ingest.chunker import Outline, outline

_HIDDEN = {"script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "select"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li", "main", "ol",
    "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_CELLS = {"td", "th"}
_READINGS = {"rt", "rp"}  # furigana: the same word once more, between its characters
_END_READINGS = {"rb", "rt", "rtc", "rp", "ruby"}  # that the end of a reading may go unwritten for
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EMPTY_BLOCKS = {"br", "hr"}


def html_outline(text: str) -> Outline:
    """Return the title and the sections of an HTML text; broken markup gives what can be read."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return outline(parser.parts(), parser.title)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._done: list[tuple[int, str, str]] = []
        self._level = 0
        self._heading: list[str] = []
        self._body: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False
        self._in_heading = ""
        self._n_preformatted = 0

    def parts(self) -> list[tuple[int, str, str]]:
        """Return (level, heading, text) in order."""
        return [*self._done, self._part()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _END_READINGS or tag in _BLOCKS:
            self._end_reading()
        if tag == "title" and "svg" not in self._hidden:
            self._in_title = True
        elif tag == "body":
            self._hidden.clear()  # a head that nobody closed must not hide the page
        elif tag in _HIDDEN or tag in _READINGS:
            self._hidden.append(tag)
        elif self._hidden:
            return
        elif tag in _HEADINGS:
            self._done.append(self._part())
            self._level, self._heading, self._body = _HEADINGS[tag], [], []
            self._in_heading = tag
        elif tag in _BLOCKS:
            self._end_heading(tag)
            self._n_preformatted += tag == "pre"
            self._body.append("\n\n" if tag == "p" else "\n")
        elif tag in _CELLS:
            self._body.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "ruby" or tag in _BLOCKS:
            self._end_reading()
        if tag == "title":
            self._in_title = False
        elif tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag in _HEADINGS:
            self._in_heading = ""
        elif tag in _BLOCKS - _EMPTY_BLOCKS and not self._hidden:
            self._end_heading(tag)
            self._n_preformatted = max(0, self._n_preformatted - (tag == "pre"))
            self._body.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = f"{self.title}{data}".strip()
        elif self._hidden:
            return
        elif self._in_heading:
            self._heading.append(data)
        else:
            self._body.append(data if self._n_preformatted else re.sub(r"\s+", " ", data))

    def _end_reading(self) -> None:
        while self._hidden and self._hidden[-1] in _READINGS:
            self._hidden.pop()

    def _end_heading(self, tag: str) -> None:
        """A block ends a heading that nobody closed; a line break inside one is a space."""
        if tag not in _EMPTY_BLOCKS:
            self._in_heading = ""
        elif self._in_heading:
            self._heading.append(" ")

    def _part(self) -> tuple[int, str, str]:
        heading = " ".join("".join(self._heading).split())
        # A single space in front is what is left of wrapping; more of them are indented code.
        lines = [re.sub(r"^ (?! )", "", line.rstrip()) for line in "".join(self._body).split("\n")]
        return self._level, heading, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
