"""HTML into tags and text, in time linear in its length whatever it holds.

The parser of the standard library takes quadratic time for unclosed markup, raises bare errors for
marked sections, and reads the same page differently in different versions of Python.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_BETWEEN = re.compile(r"[\s/]*")
_ATTRIBUTE_NAME = re.compile(r"[^\s/>=][^\s/>=]*|=[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_UNQUOTED = re.compile(r"[^\s>]*")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{0,31});?")
# Between these tags a "<" is text; that of the last two may hold character references.
_RAW = {"script", "style", "xmp", "noembed", "noframes", "textarea", "title"}
_WITH_REFERENCES = {"textarea", "title"}


@dataclass(frozen=True)
class Start:
    """A start tag: its name in lower case, and its attributes."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """An end tag."""

    name: str


def tokens(text: str) -> Iterator[Start | End | str]:
    """Yield the tags and the text between them; comments and declarations are left out.

    Markup that nobody closed is text, except for comments and scripts, which then go on to the end.
    """
    return _Scanner(text).tokens()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._last_close = text.rfind(">")
        self._unclosed: set[str] = set()  # raw elements whose end tag was looked for in vain
        self._quotes_close = True  # until a tag whose quoted values swallowed all the rest

    def tokens(self) -> Iterator[Start | End | str]:
        place = 0
        while (tag := self._text.find("<", place)) >= 0:
            if tag > self._last_close:  # nothing is closed any more
                break
            token, end = self._markup(tag)
            if end == tag:  # a bare "<"
                end = tag + 1
                yield unescaped(self._text[place:end])
            else:
                if place < tag:
                    yield unescaped(self._text[place:tag])
                if token is not None:
                    yield token
            place = end
            if isinstance(token, Start) and token.name in _RAW:
                content, place = self._raw(token.name, place)
                yield content
        if self._text.startswith("<!--", place):
            return
        if place < len(self._text):
            yield unescaped(self._text[place:])

    def _markup(self, start: int) -> tuple[Start | End | None, int]:
        """Return the token of the markup at an offset and the offset behind it."""
        text = self._text
        following = text[start + 1 : start + 2]
        if text.startswith("<!--", start):
            end = text.find("-->", start + 2)
            return None, len(text) if end < 0 else end + 3
        if following in ("!", "?"):
            return None, text.find(">", start) + 1
        if following == "/":
            name = _NAME.match(text, start + 2)
            end = text.find(">", start) + 1
            return (End(name[0].lower()) if name else None), end
        name = _NAME.match(text, start + 1)
        if name is None:
            return None, start
        attributes, end = self._attributes(name.end())
        return Start(name[0].lower(), attributes), end

    def _attributes(self, place: int) -> tuple[dict[str, str], int]:
        """Return the attributes of a start tag and the offset behind its ">"."""
        text = self._text
        attributes: dict[str, str] = {}
        first = place
        while self._quotes_close:
            between = _BETWEEN.match(text, place)
            place = between.end() if between else place
            if text.startswith(">", place):
                return attributes, place + 1
            name = _ATTRIBUTE_NAME.match(text, place)
            if name is None:
                self._quotes_close = False
                break
            value, place = "", name.end()
            if equals := _EQUALS.match(text, place):
                value, place = self._value(equals.end())
            attributes.setdefault(name[0].lower(), unescaped(value))
        return attributes, text.find(">", first) + 1

    def _value(self, place: int) -> tuple[str, int]:
        quote = self._text[place : place + 1]
        if quote in ('"', "'"):
            end = self._text.find(quote, place + 1)
            if end >= 0:
                return self._text[place + 1 : end], end + 1
        unquoted = _UNQUOTED.match(self._text, place)
        return (unquoted[0], unquoted.end()) if unquoted else ("", place)

    def _raw(self, name: str, start: int) -> tuple[str, int]:
        """Return the content of an element without tags, and the offset of its end tag."""
        text = self._text
        end = None
        if name not in self._unclosed:
            end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, start)
        if end is None:
            self._unclosed.add(name)
            # A title that nobody closed must not swallow the page; a script is not for reading.
            stop = text.find("<", start) if name in _WITH_REFERENCES else len(text)
            stop = len(text) if stop < 0 else stop
        else:
            stop = end.start()
        content = text[start:stop]
        return (unescaped(content) if name in _WITH_REFERENCES else content), stop


def unescaped(text: str) -> str:
    """Return a text with its character references replaced."""
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
