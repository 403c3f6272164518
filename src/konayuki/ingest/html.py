"""HTML into the text that a reader sees, cut at its headings."""

import re

from konayuki.ingest.markup import End, Start, tokens
from konayuki.ingest.outline import Item, Outline, Part, outline
from konayuki.text import decode

_HIDDEN = {
    "script", "style", "template", "noscript", "noembed", "noframes", "svg", "head", "nav",
    "iframe", "select", "textarea", "xmp",
}  # fmt: skip
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
_MAX_DEPTH = 64  # of hidden elements in one another: each end tag looks through them
_SPACES = re.compile(r"\s+")


def read_html(content: bytes, name: str) -> list[Item]:
    """Return the one document of an HTML file."""
    return [html_outline(decode(content, name))]


def html_outline(text: str) -> Outline:
    """Return the title and the sections of an HTML text; broken markup gives what can be read."""
    page = _Page()
    for token in tokens(text):
        if isinstance(token, Start):
            page.start(token)
        elif isinstance(token, End):
            page.end(token.name)
        else:
            page.text(token)
    return outline(page.parts(), page.title)


class _Page:
    def __init__(self) -> None:
        self._title: list[str] = []
        self._done: list[Part] = []
        self._level = 0
        self._heading: list[str] = []
        self._body: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False
        self._in_heading = ""
        self._n_preformatted = 0

    @property
    def title(self) -> str:
        """The title of the page, on one line."""
        return " ".join("".join(self._title).split())

    def parts(self) -> list[Part]:
        """Return (level, heading, text) in order."""
        return [*self._done, self._part()]

    def start(self, token: Start) -> None:
        """Take a start tag."""
        tag = token.name
        self._in_title = tag == "title" and "svg" not in self._hidden
        if tag in _END_READINGS or tag in _BLOCKS:
            self._end_reading()
        if tag == "body":
            self._hidden.clear()  # a head that nobody closed must not hide the page
        elif tag in _HIDDEN or tag in _READINGS:
            if len(self._hidden) < _MAX_DEPTH:
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

    def end(self, tag: str) -> None:
        """Take an end tag."""
        self._in_title = False
        if tag == "ruby" or tag in _BLOCKS:
            self._end_reading()
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag in _HEADINGS:
            self._in_heading = ""
        elif tag in _BLOCKS - _EMPTY_BLOCKS and not self._hidden:
            self._end_heading(tag)
            self._n_preformatted = max(0, self._n_preformatted - (tag == "pre"))
            self._body.append("\n")

    def text(self, data: str) -> None:
        """Take text."""
        if self._in_title:
            self._title.append(data)
        elif self._hidden:
            return
        elif self._in_heading:
            self._heading.append(data)
        else:
            self._body.append(data if self._n_preformatted else _SPACES.sub(" ", data))

    def _end_reading(self) -> None:
        while self._hidden and self._hidden[-1] in _READINGS:
            self._hidden.pop()

    def _end_heading(self, tag: str) -> None:
        """A block ends a heading that nobody closed; a line break inside one is a space."""
        if tag not in _EMPTY_BLOCKS:
            self._in_heading = ""
        elif self._in_heading:
            self._heading.append(" ")

    def _part(self) -> Part:
        heading = " ".join("".join(self._heading).split())
        # A single space in front is what is left of wrapping; more of them are indented code.
        lines = [re.sub(r"^ (?! )", "", line.rstrip()) for line in "".join(self._body).split("\n")]
        return self._level, heading, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
