"""What is only spelling: the other 2-grams under which a word of a query may stand in a passage.

國際 is 国際, とまと is トマト, デヴィッド is デビッド, 引越し is 引っ越し.
An index keeps the spellings of its passages; a query asks for the others as well, for a
little less than for its own (`konayuki.search.lexical`), so that exact spellings come first.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import product
from operator import add
from typing import Any

FORMS_FILE = "kanji_forms.txt"  # a group a line; written by tools/spelling/build.py
MOST_ALTERNATIVES = 8  # of a 2-gram

_SEGMENT = re.compile("[\u3041-\u3096\u30fc]+|[\u30a1-\u30fa\u30fc-\u30fe]+")
_KATAKANA_SEGMENT = re.compile("[\u30a1-\u30fa\u30fc-\u30fe]{3,}")
_SHORTEST_MISTYPED = 5  # letters of a word; shorter ones are too often other words
UNMISTYPED = 2  # letters at the start of a word, where slips are rare
_SHORTEST_SEGMENT = 3  # shorter kana are particles and endings more often than words
_SHORTEST_LONG_VOWELS = 5  # in what is left: インタフェス, but never ビル for ビール
_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_LARGE = str.maketrans(
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ", "あいうえおつやゆよわアイウエオツヤユヨワ"
)
_FOREIGN_B = (("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴェ", "ベ"), ("ヴォ", "ボ"), ("ヴ", "ブ"))
_REPEATED = re.compile("([\u3400-\u9fff])々|([\u3041-\u3096])[ゝゞ]|([\u30a1-\u30fa])[ヽヾ]")
_KANJI = "\u3400-\u4dbf\u4e00-\u9fff"
# One or two kana inside a word between two kanji: the ends of verb stems, and no particle.
_OKURIGANA = re.compile(
    f"(?=([{_KANJI}])(?:[いきぎしちりみびえけげせべめれっ]|"
    f"[あいうえかきくけこさしすせそたちつなねひふまみむめらりるれろわんばびぶべがぎぐげだじずっゃゅょ]"
    f"[せりえけれきしめいち])([{_KANJI}]))"
)


def is_kana(gram: str) -> bool:
    """Return whether a 2-gram holds kana only."""
    return all("ぁ" <= character <= "ヿ" for character in gram)


def is_long(word: str) -> bool:
    """Return whether a Latin word is long enough to be recognised though it is mistyped."""
    return len(word) >= _SHORTEST_MISTYPED and word.isalpha()


def is_mistyped(word: str, term: str) -> bool:
    """Return whether two words differ by one letter: left out, added, another one, or exchanged."""
    if abs(len(word) - len(term)) > 1 or word == term:
        return False
    start = next(
        (n for n, pair in enumerate(zip(word, term, strict=False)) if pair[0] != pair[1]),
        min(len(word), len(term)),
    )
    rest, other = word[start:], term[start:]
    exchanged = rest[:2] == other[1::-1] and rest[2:] == other[2:]
    return rest[1:] == other[1:] or rest[1:] == other or rest == other[1:] or exchanged


def stems(run: str) -> list[str]:
    """Return the 2-grams of kanji that stay when okurigana between them go: 引っ越し has 引越."""
    return [first + second for first, second in _OKURIGANA.findall(run)]


def alternatives(run: str) -> dict[str, tuple[str, ...]]:
    """Return the other spellings of those 2-grams of a folded run that have some.

    A 2-gram of a spelling that is longer or shorter belongs to the one at its place in the run, so
    that no spelling counts twice.
    """
    grams = list(map(add, run, run[1:]))
    others: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for gram in _having_forms(grams):
        others[gram] |= dict.fromkeys(_other_forms(gram))
    for start, segment, spelling in _other_spellings(run):
        other_grams = list(map(add, spelling, spelling[1:]))
        for number, gram in enumerate(other_grams):
            at = start + number * (len(segment) - 1) // len(other_grams)
            others[grams[at]][gram] = None
    for match in _OKURIGANA.finditer(run):
        others[grams[match.start()]][match[1] + match[2]] = None
    known = set(grams)
    return {
        gram: tuple(other for other in spellings if other not in known)[:MOST_ALTERNATIVES]
        for gram, spellings in others.items()
        if not known.issuperset(spellings)
    }


def in_hiragana(run: str) -> dict[str, str]:
    """Return the words in katakana of a folded run as they are in hiragana: トマト is とまと."""
    words = _KATAKANA_SEGMENT.findall(run)
    return {word: word.translate(_HIRAGANA) for word in words}


def _having_forms(grams: Sequence[str]) -> list[str]:
    """Return the 2-grams with a kanji that has other forms."""
    forms = _kanji_forms()
    return [gram for gram in grams if gram[0] in forms or gram[1] in forms]


def _other_forms(gram: str) -> Iterator[str]:
    """Yield a 2-gram with other forms of its kanji."""
    forms = _kanji_forms()
    for pair in product(*(forms.get(character, character) for character in gram)):
        if "".join(pair) != gram:
            yield "".join(pair)


def _other_spellings(run: str) -> Iterator[tuple[int, str, str]]:
    """Yield where a segment of kana or a repeated character starts, it, and its other spelling."""
    for match in _REPEATED.finditer(run):
        yield match.start(), match[0], match[match.lastindex or 0] * 2
    for match in _SEGMENT.finditer(run):
        segment = match[0]
        if len(segment) < _SHORTEST_SEGMENT:
            continue
        for spelling in _respelled(segment):
            if spelling != segment and len(spelling) > 1:
                yield match.start(), segment, spelling


def _respelled(segment: str) -> Sequence[str]:
    """Return a segment in the other kana, with large kana, with b for v, and without ー."""
    if any("ァ" <= character <= "ヺ" for character in segment):
        plain = segment
        for foreign, usual in _FOREIGN_B:
            plain = plain.replace(foreign, usual)
        short = plain.replace("ー", "")
        without_long_vowels = [short] if len(short) >= _SHORTEST_LONG_VOWELS else []
        return [
            segment.translate(_HIRAGANA),
            plain,
            segment.translate(_LARGE),
            *without_long_vowels,
        ]
    return [segment.translate(_KATAKANA), segment.translate(_LARGE)]


@cache
def _kanji_forms() -> dict[str, str]:
    """Return each kanji that has other forms, with all forms of its group, itself first."""
    return {
        character: character + group.replace(character, "")
        for group in _kanji_groups()
        for character in group
    }


def _kanji_groups() -> list[str]:
    """Return the kanji that are forms of each other, group by group."""
    text = files("konayuki.search").joinpath(FORMS_FILE).read_text(encoding="utf-8")
    return text.splitlines()


def rules() -> dict[str, Any]:
    """Return the tables and patterns of other spellings, for runtimes that do the same."""
    return {
        "forms": _kanji_groups(),
        "segment": _SEGMENT.pattern,
        "repeated": _REPEATED.pattern,
        "okurigana": _OKURIGANA.pattern,
        "shortest_segment": _SHORTEST_SEGMENT,
        "shortest_long_vowels": _SHORTEST_LONG_VOWELS,
        "most": MOST_ALTERNATIVES,
        "large": {chr(small): chr(large) for small, large in _LARGE.items()},
        "foreign_b": [list(pair) for pair in _FOREIGN_B],
    }
