"""HTML into its main text as a reader sees it, cut at its headings."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from konayuki.ingest.markup import End, Start, tokens
from konayuki.ingest.outline import MAX_HEADING, Item, Outline, Part, outline
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
_VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
}  # fmt: skip
_OWN_ENDS = {"dd", "dt", "li", "option", "p", "td", "th", "tr"}  # the next of a kind ends one
_CONTENT = {"article", "main", "section"}  # whose headers, footers and asides belong to the text
_FRAME = {"aside", "footer", "header"}
_FRAME_ROLES = {"alert", "alertdialog", "banner", "contentinfo", "dialog", "navigation", "search"}
_UNSEEN = re.compile(
    r"(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden)", re.IGNORECASE
)
_NOTICES = re.compile(
    r"(?:^|[-_\s])(?:cookies?|gdpr|consent|(?:share|sns)[-_]?(?:area|bar|buttons?|links?|list))"
    r"(?:$|[-_\s])",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s+")
_HEADING_LINKS = {"headerlink", "hash-link", "anchor-link", "heading-anchor"}  # "¶" after a heading
_ANCHORS = {"a", "article", "div", "section", "span"}  # whose id may be that of the next heading


def read_html(content: bytes, name: str) -> list[Item]:
    """Return the one document of an HTML file."""
    return [html_outline(decode(content, name))]


def html_outline(text: str) -> Outline:
    """Return the title and the sections of an HTML text; broken markup gives what can be read.

    Hidden elements, navigation, notes about cookies, buttons to share and the header, footer and
    asides of the page are left out, and if there is a `main` element (or one of that role), all
    that lies outside of it. A page that would be empty then is read whole.
    """
    page = list(tokens(text))
    has_main = any(isinstance(token, Start) and _is_main(token) for token in page)
    for scope in ("main", "content", "all")[not has_main :]:
        result = _outline(page, scope)
        if result.sections:
            break
    return result


def _is_main(token: Start) -> bool:
    """Return whether an element holds the text of a page; Sphinx gives others this role."""
    return token.name == "main" or token.attributes.get("role", "").lower() == "main"


def _outline(page: Sequence[Start | End | str], scope: str) -> Outline:
    reader = _Page(scope)
    for token in page:
        if isinstance(token, Start):
            reader.start(token)
        elif isinstance(token, End):
            reader.end(token.name)
        else:
            reader.text(token)
    return outline(reader.parts(), reader.title, readings=reader.readings, anchors=reader.anchors())


class _Page:
    """What was read of a page so far.

    Args:
        scope: "main" for the text in `main` elements, "content" for all but the frame of the page,
            "all" for all that is not hidden by its kind.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._title: list[str] = []
        self._done: list[Part] = []
        self._level = 0
        self._heading: list[str] = []
        self._body: list[str] = []
        # Elements, each with whether it hides its content and whether it is the main one.
        self._open: list[tuple[str, bool, bool]] = []
        self._n_open: Counter[str] = Counter()
        self._n_hiding = 0
        self._n_main = 0
        self._in_title = False
        self._in_heading = ""
        self._n_preformatted = 0
        self._anchors: list[str] = []
        self._anchor = ""
        self._anchor_level = 0
        self._next_anchor = ""
        self._ruby: tuple[list[str], list[str]] = [], []  # a word, and how it is read
        self.readings: dict[tuple[str, str], None] = {}

    @property
    def title(self) -> str:
        """The title of the page, on one line."""
        return " ".join("".join(self._title).split())

    def parts(self) -> list[Part]:
        """Return (level, heading, text) in order."""
        return [*self._done, self._part()]

    def anchors(self) -> list[str]:
        """Return the id that a link to each part needs, "" for the start of the page."""
        return [*self._anchors, self._anchor]

    @property
    def _hidden(self) -> bool:
        return self._n_hiding > 0 or (self._scope == "main" and not self._n_main)

    def start(self, token: Start) -> None:
        """Take a start tag."""
        tag = token.name
        self._in_title = tag == "title" and not self._n_open["svg"]
        self._end_implied(tag)
        if tag not in _VOID:
            self._push(tag, hides=self._hides(token), main=_is_main(token))
        if self._hidden:
            return
        self._note_anchor(tag, token.attributes)
        if tag == "ruby":
            self._ruby = [], []
        elif tag in _HEADINGS:
            self._done.append(self._part())
            self._level, self._heading, self._body = _HEADINGS[tag], [], []
            self._in_heading = tag
            self._start_anchor(token.attributes.get("id", ""))
        elif tag in _BLOCKS:
            self._end_heading(tag)
            self._n_preformatted += tag == "pre"
            self._body.append("\n\n" if tag == "p" else "\n")
        elif tag in _CELLS:
            self._body.append(" ")

    def end(self, tag: str) -> None:
        """Take an end tag."""
        self._in_title = False
        if self._n_open[tag]:
            while self._pop() != tag:
                pass
        if tag == "ruby":
            self._end_ruby()
        if tag in _HEADINGS:
            self._in_heading = ""
        elif tag in _BLOCKS - _EMPTY_BLOCKS and not self._hidden:
            self._end_heading(tag)
            self._n_preformatted = max(0, self._n_preformatted - (tag == "pre"))
            self._body.append("\n")

    def text(self, data: str) -> None:
        """Take text."""
        if self._in_title:
            self._title.append(data)
            return
        if self._hidden:
            if self._open and self._open[-1][0] == "rt":
                self._ruby[1].append(data)
            return
        if self._n_open["ruby"]:
            self._ruby[0].append(data)
        if self._in_heading:
            self._heading.append(data)
        else:
            if not data.isspace():
                self._next_anchor = ""
            self._body.append(data if self._n_preformatted else _SPACES.sub(" ", data))

    def _note_anchor(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Remember the id of an element just before a heading, or take that of one inside it."""
        anchor = attributes.get("id", "") or (attributes.get("name", "") if tag == "a" else "")
        if not anchor or tag not in _ANCHORS:
            return
        if not self._in_heading:
            self._next_anchor = anchor
        elif self._anchor_level != self._level:
            self._anchor, self._anchor_level = anchor, self._level

    def _start_anchor(self, own: str) -> None:
        """Take the anchor of a heading: without one, links lead to the heading above it."""
        self._anchors.append(self._anchor)
        anchor, self._next_anchor = own or self._next_anchor, ""
        if anchor or self._level <= self._anchor_level:
            self._anchor, self._anchor_level = anchor, self._level if anchor else 0

    def _end_ruby(self) -> None:
        word, reading = ("".join("".join(parts).split()) for parts in self._ruby)
        if word and reading and max(len(word), len(reading)) <= MAX_HEADING:
            self.readings[word, reading] = None
        self._ruby = [], []

    def _hides(self, token: Start) -> bool:
        """Return whether an element hides what it holds."""
        tag, attributes = token.name, token.attributes
        if tag in _HIDDEN or tag in _READINGS:
            return True
        if self._scope == "all" or tag in ("html", "body"):
            return False
        if "hidden" in attributes or attributes.get("aria-hidden", "").lower() == "true":
            return True
        if _UNSEEN.search(attributes.get("style", "")):
            return True
        named = f"{attributes.get('id', '')} {attributes.get('class', '')}"
        if tag == "a" and not _HEADING_LINKS.isdisjoint(attributes.get("class", "").split()):
            return True
        if attributes.get("role", "").lower() in _FRAME_ROLES or _NOTICES.search(named):
            return True
        return tag in _FRAME and not any(self._n_open[content] for content in _CONTENT)

    def _push(self, tag: str, *, hides: bool, main: bool) -> None:
        self._open.append((tag, hides, main))
        self._n_open[tag] += 1
        self._n_hiding += hides
        self._n_main += main

    def _pop(self) -> str:
        tag, hides, main = self._open.pop()
        self._n_open[tag] -= 1
        self._n_hiding -= hides
        self._n_main -= main
        return tag

    def _end_implied(self, tag: str) -> None:
        """End elements whose end tags may go unwritten before this start tag."""
        if tag == "body":  # a head that nobody closed must not hide the page
            while self._open:
                self._pop()
        while self._open:
            last = self._open[-1][0]
            reading = last in _READINGS and (tag in _END_READINGS or tag in _BLOCKS)
            paragraph = last == "p" and tag in _BLOCKS - _EMPTY_BLOCKS
            if not (reading or paragraph or (last == tag and tag in _OWN_ENDS)):
                return
            self._pop()

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
