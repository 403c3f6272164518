"""Where Japanese (and English) sentences end."""

import re
from collections.abc import Iterator

_OPENING = "「『（(【［[〈《〔｛{“"
_CLOSING = "」』）)】］]〉》〕｝}”"
_STEP = re.compile(
    rf"(?P<open>[{re.escape(_OPENING)}])|(?P<close>[{re.escape(_CLOSING)}])"
    r"|(?P<end>[。．！？!?｡]+|\.(?=\s))|(?P<line>\n)"
)
_HIRAGANA = re.compile("[\u3041-\u309f、]")
_NEW_LINE_STARTS_UNIT = re.compile(r"[ \t]*(\n|[-*+・●○■□◆◇※>|#]|\d+[.)．）]|[①-⑳])")


def sentence_ends(text: str) -> Iterator[int]:
    """Yield the offsets behind each sentence of a text, the last one always `len(text)`.

    A full stop inside brackets ends nothing: 「行く。」と言った。 is one sentence. Closing brackets
    and white space behind an end belong to the sentence before it. Lines of lists and tables,
    headings and paragraphs end where their line ends; other line breaks are only wrapping.
    """
    depth = 0
    last = 0
    for step in _STEP.finditer(text):
        place = step.end()
        if step["open"]:
            depth += 1
        elif step["close"]:
            depth = max(0, depth - 1)
            if depth or not _quote_ends(text, place):
                continue
            place = _behind_space(text, place)
        elif step["line"]:
            if not _NEW_LINE_STARTS_UNIT.match(text, place) and not _ended(text, step.start()):
                continue
            depth = 0  # a bracket that nobody closes must not swallow the rest
        elif depth:
            continue
        else:
            place = _behind_space(text, place)
        if last < place < len(text) and not step["open"]:
            yield place
            last = place
    if text:
        yield len(text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, without the white space around them."""
    found = []
    start = 0
    for end in sentence_ends(text):
        found.append(text[start:end].strip())
        start = end
    return [sentence for sentence in found if sentence]


def _ended(text: str, place: int) -> bool:
    """Whether the line before a line break ends a sentence."""
    return text[:place].rstrip()[-1:] in tuple("。．！？!?｡.」』）)")


def _quote_ends(text: str, place: int) -> bool:
    """Whether a bracket that closed before `place` also closed a sentence."""
    inner = text[:place].rstrip(_CLOSING)[-1:]
    if inner not in tuple("。．！？!?｡"):
        return False
    following = text[place : place + 1]
    return not following or not (_HIRAGANA.match(following) or following in _CLOSING)


def _behind_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in _CLOSING:
        place += 1
    while place < len(text) and text[place].isspace():
        place += 1
    return place
