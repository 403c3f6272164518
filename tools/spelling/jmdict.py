"""JMdict's entries and how their spellings differ."""

import hashlib
import itertools
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

COMMON = ("news1", "ichi1", "spec1", "gai1")
HELD_OUT_SHARE = 20  # one entry in N
MOST_FORMS = 6  # of one entry: a few have dozens
_DOCTYPE = re.compile(rb"<!DOCTYPE.*?\]>", re.DOTALL)
_ENTITY = re.compile(rb"&([\w-]+);")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_KANA_ONLY = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc・]+")
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_LONG_VOWELS = str.maketrans("", "", "ー")


@dataclass(frozen=True)
class Entry:
    """One word: its number, kanji spellings and readings in JMdict's order, unusual ones left out.

    Attributes:
        number: JMdict's `ent_seq`.
        kanji: Spellings with at least one kanji, or other characters that are not kana.
        kana: Readings, each with the kanji spellings that it belongs to (empty: all of them).
        common: Whether JMdict marks it as a common word.
        usually_kana: Whether it is usually written in kana.
        rank: Its five hundred among the most frequent words of newspapers, 1 to 48; 49 for other
            common words, 99 for the rest.
        kana_first: Whether its first sense is usually written in kana.
        ichidan: Whether it is a verb that keeps its stem in all forms (教える, 教えて).
    """

    number: int
    kanji: tuple[str, ...]
    kana: tuple[tuple[str, tuple[str, ...]], ...]
    common: bool
    usually_kana: bool
    rank: int
    kana_first: bool = False
    ichidan: bool = False


def read_entries(file: IO[bytes]) -> Iterator[Entry]:
    """Yield the entries of a `jmdict.xml`; entities become their names."""
    text = _ENTITY.sub(_entity, _DOCTYPE.sub(b"", file.read(), count=1))
    root = ElementTree.fromstring(text)  # noqa: S314 - no DTD left
    for node in root.iter("entry"):
        marks = {mark.text or "" for mark in (*node.iter("ke_pri"), *node.iter("re_pri"))}
        ranks = [int(mark[2:]) for mark in marks if mark.startswith("nf")]
        common = bool(ranks) or not marks.isdisjoint(COMMON)
        yield Entry(
            int(node.findtext("ent_seq") or 0),
            tuple(
                part.findtext("keb") or ""
                for part in node.findall("k_ele")
                if _usual(part, "ke_inf")
            ),
            tuple(
                (
                    part.findtext("reb") or "",
                    tuple(one.text or "" for one in part.findall("re_restr")),
                )
                for part in node.findall("r_ele")
                if _usual(part, "re_inf") and part.find("re_nokanji") is None
            ),
            common,
            any(mark.text == "uk" for mark in node.iter("misc")),
            min(ranks, default=49 if common else 99),
            kana_first=any(mark.text == "uk" for mark in node.findall("sense[1]/misc")),
            ichidan=any(mark.text == "v1" for mark in node.findall("sense[1]/pos")),
        )


def _entity(match: re.Match[bytes]) -> bytes:
    name = match[1]
    return match[0] if name in (b"amp", b"lt", b"gt", b"quot", b"apos") else name


def _usual(part: ElementTree.Element, tag: str) -> bool:
    """Return whether a spelling is neither irregular nor there for searching only."""
    return not any(one.text in ("iK", "ik", "sK", "sk") for one in part.findall(tag))


def is_held_out(number: int) -> bool:
    """Return whether an entry is kept for evaluation: a fixed hash of its number."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0


def spellings(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield pairs of spellings of an entry: kanji forms, each with its readings, and kana forms."""
    kanji, kana = entry.kanji[:MOST_FORMS], entry.kana[:MOST_FORMS]
    yield from itertools.combinations(kanji, 2)
    if entry.common or entry.usually_kana:
        for form in kanji[:2]:
            readings = [one for one, only in kana if not only or form in only]
            yield from ((form, reading) for reading in readings[:1])
    if not kanji:
        yield from itertools.combinations([one for one, _ in kana], 2)


def kind_of(one: str, other: str, variants: dict[str, str]) -> str | None:
    """Return how two spellings differ, None when only in width, case or middle dots.

    "kanji-form": only in forms of the same kanji (國/国); "okurigana": in kana (申込/申し込み);
    "kanji-choice": in kanji (会う/逢う); "reading": one is all kana and the other is not;
    "script": hiragana against katakana; "long-vowel": only in ー; "kana": other kana.
    """
    one, other = unicodedata.normalize("NFKC", one), unicodedata.normalize("NFKC", other)
    one, other = (text.lower().replace("・", "") for text in (one, other))
    if one == other:
        return None
    in_kana = [bool(_KANA_ONLY.fullmatch(text)) for text in (one, other)]
    if all(in_kana):
        if one.translate(_TO_HIRAGANA) == other.translate(_TO_HIRAGANA):
            return "script"
        bare = [text.translate(_TO_HIRAGANA).translate(_LONG_VOWELS) for text in (one, other)]
        return "long-vowel" if bare[0] == bare[1] else "kana"
    if any(in_kana):
        return "reading"
    table = str.maketrans(variants)
    folded = [text.translate(table) for text in (one, other)]
    if folded[0] == folded[1]:
        return "kanji-form"
    solid = [_KANA.sub("", text) for text in folded]
    return "okurigana" if solid[0] == solid[1] else "kanji-choice"
