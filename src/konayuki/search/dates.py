"""Dates as people write them in notes, mails and queries."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from konayuki.text import fold

# Of the metadata of a document; the first that holds a date counts.
DATE_KEYS = ("date", "日付", "created", "updated", "modified")
_LONGEST = 64  # characters; a date with a time and a zone has fewer
_FORMS = (
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?![0-9])"),
    re.compile(r"([0-9]{4})年(?:([0-9]{1,2})月(?:([0-9]{1,2})日)?)?"),
    re.compile(r"([0-9]{4})(?:([-/.])([0-9]{1,2})(?:\2([0-9]{1,2}))?)?(?![0-9])"),
)
_TIME = re.compile(r"[t\s(].*", re.DOTALL)


class Period(NamedTuple):
    """A day, a month or a year.

    Attributes:
        first: Its first day.
        end: The day after its last.
    """

    first: date
    end: date


def read_period(text: str, *, with_time: bool = False) -> Period | None:
    """Return the day, month or year that a text names; None if it names none.

    Read are 2024, 2024-04, 2024-4-1, 2024/4/1, 2024.4.1, 20240401, 2024年4月 and 2024年4月1日, in
    any width.

    Args:
        text: The text.
        with_time: Whether a time of the day may follow.
    """
    if not text or len(text) > _LONGEST:
        return None
    folded = fold(text).strip()
    for form in _FORMS:
        match = form.match(folded)
        rest = folded[match.end() :] if match else "x"
        if match and (not rest or (with_time and _TIME.fullmatch(rest))):
            numbers = [int(part) for part in match.groups() if part and part.isdecimal()]
            return _period(*numbers)
    return None


def _period(year: int, month: int = 0, day: int = 0) -> Period | None:
    try:
        first = date(year, month or 1, day or 1)
        if day:
            return Period(first, date.fromordinal(first.toordinal() + 1))
        if month:
            return Period(first, date(year + month // 12, month % 12 + 1, 1))
        return Period(first, date(year + 1, 1, 1))
    except (ValueError, OverflowError):  # the 31st of April, the year 0
        return None


def date_of(metadata: Mapping[str, Any]) -> date | None:
    """Return the date of a document: the first day of what one of `DATE_KEYS` names."""
    for key in DATE_KEYS if metadata else ():
        day = day_of(metadata.get(key))
        if day is not None:
            return day
    return None


def day_of(value: object) -> date | None:
    """Return the first day that a value of metadata names."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**8:
        value = str(value)
    period = read_period(value, with_time=True) if isinstance(value, str) else None
    return period.first if period else None
