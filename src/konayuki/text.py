"""Text as every room sees it: folding, script classes, sentences, and bytes into strings."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, partial
from typing import Literal

from konayuki.errors import FormatError

# Ranges for use inside a regular expression's [...].
HIRAGANA = "\u3041-\u3096\u309d-\u309f"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
HALF_WIDTH_KATAKANA = "\uff66-\uff9f"
KANJI = "\u3005-\u3007\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Kana and kanji with their iteration and voicing marks.
JAPANESE = f"{KANJI}{HIRAGANA}{KATAKANA}\u3031-\u3035\u3099\u309a"

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark starts with that of UTF-16-LE
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Below these lengths, sorting marks by insertion takes a fraction of a millisecond.
_SHORT, _LONG_RUN = 500, 64
# Characters that are no marks themselves, but become marks when they are decomposed.
_MARKS_OF_CLASS_0, _COMPATIBLE_MARKS = "\u0f73\u0f75\u0f81", "\uff9e\uff9f"
_USUAL = re.compile("[\u3041-\u3096\u30a1-\u30fc\u3001\u3002]")
# CP932 does not assign these bytes, but Python decodes some of them to private characters.
_NO_CHARACTER = re.compile("[\uf8f0-\uf8f3\u0080-\u009f]")
# What one legacy encoding looks like when decoded as the other: half-width kana, private use.
_UNUSUAL = re.compile("[\uff61-\uff9f\ue000-\uf8ff\u0080-\u009f]")

_OPENING = "「『（(【［[〈《〔｛{“"
_CLOSING = "」』）)】］]〉》〕｝}”"
_ENDS = "。．！？!?｡"
_STEP = re.compile(
    rf"(?P<open>[{re.escape(_OPENING)}])|(?P<close>[{re.escape(_CLOSING)}])"
    rf"|(?P<end>[{_ENDS}]+|\.(?=\s))|(?P<line>\n(?:[ \t]*\n)*)"
)
# What needs the rules of brackets, line breaks and Latin full stops.
_INTRICATE = re.compile(rf"[{re.escape(_OPENING)}{re.escape(_CLOSING)}\n.]")
_PLAIN_END = re.compile(rf"[{_ENDS}]+\s*")
_HIRAGANA_FOLLOWS = re.compile("[\u3041-\u309f、]")
_NEW_LINE_STARTS_UNIT = re.compile(r"[ \t]*(\n|[-*+・●○■□◆◇※>|#]|\d+[.)．）]|[①-⑳])")
_BEHIND_END = re.compile(rf"[{re.escape(_CLOSING)}]*\s*")
_LINE_ENDS = frozenset(f"{_ENDS}.」』）)")


def fold(text: str) -> str:
    """Return a text in NFKC and lower case, in which width and case make no difference."""
    return normalize("NFKC", text).lower()


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return a text in a normal form of Unicode, in time linear in its length.

    `unicodedata.normalize` sorts marks by insertion and holds the lock of the interpreter: 160 KB
    of two alternating marks take it four seconds. Long runs of marks are sorted here, which does
    not change the result.
    """
    if len(text) > _SHORT and (run := _long_runs(form)).search(text):
        decompose = partial(unicodedata.normalize, "NFKD" if "K" in form else "NFD")
        text = run.sub(
            lambda match: "".join(
                sorted("".join(map(decompose, match[0])), key=unicodedata.combining)
            ),
            text,
        )
    return unicodedata.normalize(form, text)


@cache
def _long_runs(form: str) -> re.Pattern[str]:
    """Return the pattern of a run of characters that become marks in this form."""
    marks = "".join(
        chr(point) for point in range(0x300, 0x1F000) if unicodedata.combining(chr(point))
    )
    others = _MARKS_OF_CLASS_0 + (_COMPATIBLE_MARKS if "K" in form else "")
    return re.compile(f"[{marks}{others}]{{{_LONG_RUN},}}")


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can write a text, which a lone surrogate prevents."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(content: bytes, name: str) -> str:
    """Return the text of UTF-8 (or -16, -32 with a mark), CP932, EUC-JP or ISO-2022-JP bytes.

    Args:
        content: The bytes.
        name: What an error message calls them.

    Raises:
        FormatError: The bytes are in none of these encodings.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return _decode_strictly(content, encoding, name).removeprefix("\ufeff")
    if b"\0" in content:
        raise FormatError(f"{name}: holds zero bytes: expected text, not a binary file")
    if b"\x1b$" in content:
        return _decode_strictly(content, "iso2022_jp_ext", name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_legacy(content, name, error)


def _decode_strictly(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: byte {error.start} is not {encoding}: {error.reason}"
        ) from error


def _decode_legacy(content: bytes, name: str, utf8_error: UnicodeDecodeError) -> str:
    """Return the more Japanese-looking reading of bytes that are not UTF-8."""
    readings = []
    for encoding in ("cp932", "euc_jp"):
        try:
            reading = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _NO_CHARACTER.search(reading):
            readings.append(reading)
    if not readings:
        raise FormatError(
            f"{name}: byte {utf8_error.start} is neither UTF-8 nor CP932 nor EUC-JP: "
            "expected Japanese text in one of these encodings\n"
            f"hint: iconv -f ENCODING -t UTF-8 {name}"
        )
    return max(readings, key=_plausibility)


def _plausibility(text: str) -> int:
    return len(_USUAL.findall(text)) - 4 * len(_UNUSUAL.findall(text))


def sentence_ends(text: str) -> Iterator[int]:
    """Yield the offset behind each sentence of a text; the last one is always `len(text)`.

    A full stop inside brackets ends nothing: 「行く。」と言った。 is one sentence. Closing brackets
    and white space behind an end belong to the sentence before it. Lines of lists and tables,
    headings and paragraphs end at their line break; other line breaks are only wrapping. Takes
    time linear in the length of the text.
    """
    if _INTRICATE.search(text) is None:  # a fifth of the time, for most passages
        ends = [match.end() for match in _PLAIN_END.finditer(text)]
        if ends and ends[-1] == len(text):
            ends.pop()
        yield from ends
        if text:
            yield len(text)
        return
    depth = 0
    last_end = 0
    inner = ""  # the last character before a run of closing brackets
    inner_end = -1  # where that run ends
    solid, seen = "", 0  # the last character of text[:seen] that is not white space
    for step in _STEP.finditer(text):
        end = step.end()
        if step["open"]:
            depth += 1
            continue
        if step["close"]:
            if step.start() != inner_end:
                inner = text[step.start() - 1 : step.start()]
            inner_end = end
            depth = max(0, depth - 1)
            if depth or not _closes_sentence(text, end, inner):
                continue
            end = _skip_closing(text, end)
        elif step["line"]:
            solid, seen = _last_solid(text, seen, step.start()) or solid, step.start()
            wraps = end - step.start() == 1 and solid not in _LINE_ENDS  # not an empty line
            if wraps and not _NEW_LINE_STARTS_UNIT.match(text, end):
                continue
            depth = 0  # an unclosed bracket must not swallow the rest
        elif depth:
            continue
        else:
            end = _skip_closing(text, end)
        if last_end < end < len(text):
            yield end
            last_end = end
    if text:
        yield len(text)


def _skip_closing(text: str, end: int) -> int:
    """Return the offset behind closing brackets and white space."""
    behind = _BEHIND_END.match(text, end)
    return behind.end() if behind else end


def _last_solid(text: str, start: int, end: int) -> str:
    """Return the last character of text[start:end] that is not white space, "" without one."""
    while end > start and text[end - 1].isspace():
        end -= 1
    return text[end - 1] if end > start else ""


def _closes_sentence(text: str, end: int, inner: str) -> bool:
    """Return whether the bracket that closed before `end` also closed a sentence."""
    if inner not in tuple(_ENDS):
        return False
    following = text[end : end + 1]
    return not following or not (_HIRAGANA_FOLLOWS.match(following) or following in _CLOSING)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without the white space around them."""
    pieces = []
    start = 0
    for end in sentence_ends(text):
        pieces.append(text[start:end].strip())
        start = end
    return [piece for piece in pieces if piece]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as in "1 passage" and "2 passages"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
