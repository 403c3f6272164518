"""What the readers share: is it Japanese, white space, lengths, encodings."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from konayuki.training.sources import Pair

JAPANESE = r"\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u3005\uff01-\uff60\u3001-\u3015"
ENCODINGS = ("utf-8", "euc_jp", "shift_jis")
SHIFTED = b"\x1b$"  # ISO-2022-JP: plain ASCII with escapes, which UTF-8 would read as it is
LONGEST = 1200  # characters of a passage
_KANA = re.compile(r"[\u3041-\u30ff]")
_LETTERS = re.compile(rf"[{JAPANESE}]")
_BREAKS = re.compile(rf"(?<=[{JAPANESE}])[ \t]*[\r\n]+\s*(?=[{JAPANESE}])")
_NUMBERS = re.compile(
    r"^(第\s*[\d０-９]+\s*[章節部]|付録\s*\w\.?|[\dA-Z]+(\.\d+)*\.|\d+(\.\d+)+)\s+(?=\S)"
)


class Section(NamedTuple):
    """A heading, what stands above it, and its text."""

    parent: str
    title: str
    body: str


def is_japanese(text: str, share: float = 0.3) -> bool:
    """Return whether a text has kana and at least this share of Japanese characters."""
    solid = len(text) - text.count(" ")
    return bool(_KANA.search(text)) and len(_LETTERS.findall(text)) >= share * max(1, solid)


def tidy(text: str) -> str:
    """Return a text on one line; a line break between Japanese characters leaves no space."""
    return " ".join(_BREAKS.sub("", text).split())


def without_number(title: str) -> str:
    """Return a heading without the number before it."""
    return _NUMBERS.sub("", title).strip(" ¶")


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text cut after the last sentence that ends within `longest` characters."""
    if len(text) <= longest:
        return text
    end = text.rfind("。", longest // 2, longest)
    return text[: end + 1] if end >= 0 else text[:longest]


def decode(content: bytes) -> str:
    """Return the text of a file in one of the encodings that Japanese files are in."""
    for encoding in ("iso2022_jp",) if SHIFTED in content else ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", errors="replace")


def as_pairs(sections: Iterable[Section]) -> Iterator[Pair]:
    """Yield heading -> text; a heading that several sections share is prefixed with its parent."""
    all_sections = list(sections)
    counts = Counter(section.title for section in all_sections)
    for section in all_sections:
        parent = section.parent if counts[section.title] > 1 else ""
        query = tidy(f"{parent} {section.title}") if parent != section.title else section.title
        yield Pair(query, shortened(section.body))
