"""What people type: words, "exact phrases", -exclusions and filters such as tag:料理.

The grammar is the same on the command line, over HTTP, on the page and in MCP, and is described in
docs/howto/query.md. What is not understood is text, so no input is an error.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal, get_args

from konayuki.search.dates import read_period
from konayuki.search.prepared import prepared
from konayuki.search.terms import tokens_of
from konayuki.text import fold

Field = Literal["tag", "path", "kind", "after", "before"]
FIELDS: tuple[Field, ...] = get_args(Field)
MOST_PARTS = 64  # phrases, exclusions and filters of a query; what follows is text

# Japanese keyboards give full-width characters, and curly quotes of which any may open or close.
# Corner brackets are not among them: 「もののけ姫」の監督は？ is a question, not a condition.
_QUOTE = '"＂“”„‟'
_SIGNS = "-－−"
_QUOTED = f"[{_QUOTE}]((?:[^{_QUOTE}\\\\]|\\\\.)*)[{_QUOTE}]"
_PHRASE = re.compile(_QUOTED, re.DOTALL)
_SIGN = re.compile(f"[{_SIGNS}]")
# Not a digit: -5 is a number. Not a sign: --help is an option.
_EXCLUDED_WORD = re.compile(f"(?=[^\\W\\d_])[^\\s{_QUOTE}]+")
_NAME = re.compile("([A-Za-zＡ-Ｚａ-ｚ]{3,6})[:：]")
_BARE = re.compile(f"[^\\s{_QUOTE}]+")
_REST = re.compile(f"\\s+|[^\\s{_QUOTE}]+|[{_QUOTE}]")
_ESCAPED = re.compile(f"\\\\([{_QUOTE}\\\\])")
_SEPARATOR = re.compile("[,，、]")
# 24" is a size, and so is the quote in it no beginning of a phrase.
_BEFORE_SIZE = re.compile("[A-Za-z0-9Ａ-Ｚａ-ｚ０-９]")


@dataclass(frozen=True)
class Condition:
    """What the metadata of a hit must be like.

    Attributes:
        field: "tag", "path" (of the file, a part of it), "kind" (suffix or kind of the file),
            "after" (this day or later) or "before" (an earlier day).
        values: Any of them will do; of "after" and "before" one date as YYYY-MM-DD.
        excluded: Whether a hit must not be like that.

    Examples:
        >>> Condition("kind", ("pdf", "docx"))
        Condition(field='kind', values=('pdf', 'docx'), excluded=False)
    """

    field: Field
    values: tuple[str, ...]
    excluded: bool = False


@dataclass(frozen=True)
class Query:
    """A query taken apart.

    Attributes:
        text: What hits are ranked by: the words, those in phrases included.
        phrases: What title, heading or text of a hit must contain, letter by letter but for width
            and case. Latin words and numbers at the ends of a phrase must be whole words.
        exclusions: Words or phrases that no hit contains.
        conditions: What the metadata of a hit must be like; all of them must hold.

    Examples:
        >>> index.search(Query("日本でいちばん", phrases=("大きな湖",)))[0].id
        'biwa'
    """

    text: str
    phrases: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Return the query that a person has typed.

        Args:
            text: Any text; without any of the grammar in it, it is the text of the query as it is.

        Examples:
            >>> query = Query.parse('猫の"えさ箱" -犬 tag:飼い方')
            >>> query.text, query.phrases, query.exclusions
            ('猫のえさ箱', ('えさ箱',), ('犬',))
            >>> query.conditions
            (Condition(field='tag', values=('飼い方',), excluded=False),)
            >>> Query.parse("「もののけ姫」の監督は？") == Query("「もののけ姫」の監督は？")
            True
        """
        return _Parser(text).query()

    @property
    def restricts(self) -> bool:
        """Whether it says more than what hits are ranked by."""
        return bool(self.phrases or self.exclusions or self.conditions)


def quoted(text: str) -> str:
    """Return a text as a phrase, or as the value of a filter, that `Query.parse` reads back.

    Examples:
        >>> "path:" + quoted("議事録/2024 年度")
        'path:"議事録/2024 年度"'
    """
    return '"' + re.sub(f"([{_QUOTE}\\\\])", r"\\\1", text) + '"'


def has_tokens(text: str) -> bool:
    """Return whether a text holds anything that can be searched, and not only punctuation."""
    return next(tokens_of(fold(prepared(text))), None) is not None


def is_day(values: tuple[str, ...]) -> bool:
    """Return whether the values of a condition are one date as YYYY-MM-DD."""
    try:
        return len(values) == 1 and date.fromisoformat(values[0]).isoformat() == values[0]
    except ValueError:
        return False


class _Parser:
    """Reads a query from left to right, in time linear in its length."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._phrases: list[str] = []
        self._exclusions: list[str] = []
        self._conditions: list[Condition] = []
        self._unclosed = False  # a quote was not closed, so no later one is
        self._hollow_end = 0  # of a phrase of nothing but signs: no quote in it begins another

    def query(self) -> Query:
        place = 0
        while place < len(self._text):
            end = self._part(place) if self._n_parts < MOST_PARTS else place
            if end == place:
                rest = _REST.match(self._text, place)
                assert rest is not None  # noqa: S101 - ours: the pattern takes any character
                self._words.append(rest[0])
                end = rest.end()
            place = end
        if not self._n_parts:
            return Query(self._text)
        parts = (self._phrases, self._exclusions, self._conditions)
        return Query("".join(self._words).strip(), *map(tuple, parts))  # type: ignore[arg-type]

    @property
    def _n_parts(self) -> int:
        return len(self._phrases) + len(self._exclusions) + len(self._conditions)

    def _part(self, place: int) -> int:
        """Take the part that starts here; return where it ends, or `place` if none starts."""
        before = self._text[place - 1 : place]
        if not before or before.isspace():
            sign = _SIGN.match(self._text, place)
            start = sign.end() if sign else place
            field, end = self._condition(start, excluded=sign is not None)
            if sign and not field:
                end = self._value(start, _EXCLUDED_WORD, self._exclude)
            if end > start:
                return end
        if _BEFORE_SIZE.fullmatch(before):
            return place
        return self._value(place, None, self._require)

    def _value(
        self, place: int, bare: re.Pattern[str] | None, take: Callable[[str, bool], bool]
    ) -> int:
        """Offer what stands here, in quotes or bare; return its end, or `place` if not taken."""
        if self._text[place : place + 1] in tuple(_QUOTE):
            if place < self._hollow_end:
                return place
            match = None if self._unclosed else _PHRASE.match(self._text, place)
            self._unclosed = match is None
            if match and take(_ESCAPED.sub(r"\1", match[1]), True):
                return match.end()
            if match and bare is None:
                self._hollow_end = match.end() - 1
        elif bare and (match := bare.match(self._text, place)) and take(match[0], False):
            return match.end()
        return place

    def _require(self, phrase: str, _: bool) -> bool:
        if not has_tokens(phrase):
            return False
        self._phrases.append(phrase)
        self._words.append(phrase)
        return True

    def _exclude(self, phrase: str, _: bool) -> bool:
        if not has_tokens(phrase):
            return False
        self._exclusions.append(phrase)
        return True

    def _condition(self, place: int, *, excluded: bool) -> tuple[str, int]:
        """Return the name of the filter that starts here and its end, or `place` if not taken."""
        name = _NAME.match(self._text, place)
        field = fold(name[1]) if name else ""
        if name is None or field not in FIELDS:
            return "", place
        end = self._value(name.end(), _BARE, partial(self._restrict, field, excluded))
        return field, end if end > name.end() else place

    def _restrict(self, field: Field, excluded: bool, value: str, in_quotes: bool) -> bool:
        values = (value,) if in_quotes else tuple(_SEPARATOR.split(value))
        values = tuple(part.strip() for part in values if part.strip())
        if field in ("after", "before"):
            period = read_period(value)
            if period is None or excluded:
                return False
            values = (period.first.isoformat(),)
        if values:
            self._conditions.append(Condition(field, values, excluded))
        return bool(values)
