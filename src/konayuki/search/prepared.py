"""What both halves of an index read of a text: without line wrapping and invisible characters.

Stored texts stay as they are; only what is compared is prepared, on both sides.
"""

import re
from collections.abc import Sequence

from konayuki.text import HALF_WIDTH_KATAKANA, JAPANESE

_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Zero width, soft hyphens, marks of direction and annotation.
_ZERO_WIDTH = (
    "\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffb"
)
_JOINER = "\u200d"  # makes one emoji of several; between kana and kanji it is noise
_LETTER = f"[{JAPANESE}{HALF_WIDTH_KATAKANA}]"
_SUSPECT = re.compile(f"[{_ZERO_WIDTH}{_SELECTORS}{_JOINER}]")  # four times as fast as the next
_INVISIBLE = re.compile(
    f"[{_ZERO_WIDTH}{_SELECTORS}]|(?<={_LETTER}){_JOINER}|{_JOINER}(?={_LETTER})"
)
_WRAPPING = re.compile(f"(?<={_LETTER})[ \t]*(?:\r\n?|\n)[ \t]*(?={_LETTER})")
_SELECTED = re.compile(f"[{_SELECTORS}]*")


def prepared(text: str) -> str:
    """Return a text as it is compared.

    A single line break between two kana or kanji is gone, as in hard-wrapped files; so are
    zero-width characters and variation selectors, which no one types into a query.
    """
    if text.isascii():
        return text
    return unwrapped(_INVISIBLE.sub("", text) if _SUSPECT.search(text) else text)


def is_prepared(text: str) -> bool:
    """Return whether a text is surely the same when it is prepared, without preparing it."""
    return _SUSPECT.search(text) is None and "\n" not in text and "\r" not in text


def unwrapped(text: str) -> str:
    """Return a text without single line breaks between two kana or kanji."""
    return _WRAPPING.sub("", text) if "\n" in text or "\r" in text else text


def searched_text(*parts: str) -> str:
    """Return title, heading and text as one text to compare; a line never runs into the next."""
    return "\n".join(prepared(part) for part in parts if part)


def rules() -> dict[str, str]:
    """Return the classes of characters by which texts are prepared, for runtimes that do the same.

    Each is the inside of a regular expression's [...].
    """
    return {
        "letters": f"{JAPANESE}{HALF_WIDTH_KATAKANA}",
        "unseen": f"{_ZERO_WIDTH}{_SELECTORS}",
        "selectors": _SELECTORS,
        "joiner": _JOINER,
    }


def traced(text: str) -> tuple[str, Sequence[int]]:
    """Return `prepared(text)` and the offset in `text` of each of its characters."""
    offsets: Sequence[int] = range(len(text))
    if is_prepared(text):
        return text, offsets
    patterns = [_INVISIBLE] if _SUSPECT.search(text) else []
    if "\n" in text or "\r" in text:
        patterns.append(_WRAPPING)
    for pattern in patterns:
        gaps = [gap.span() for gap in pattern.finditer(text)]
        if gaps:
            starts = [0, *(end for _, end in gaps)]
            ends = [*(start for start, _ in gaps), len(text)]
            pieces = list(zip(starts, ends, strict=True))
            offsets = [offset for start, end in pieces for offset in offsets[start:end]]
            text = "".join(text[start:end] for start, end in pieces)
    return text, offsets


def span_of(text: str, offsets: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Return where a span of the prepared text, not an empty one, stands in the text itself.

    What selects the form of the last character belongs to it.
    """
    selectors = _SELECTED.match(text, offsets[end - 1] + 1)
    assert selectors is not None  # noqa: S101 - ours: the pattern matches the empty string, too
    return offsets[start], selectors.end()
