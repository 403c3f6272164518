"""The normaliser of a `tokenizer.json`, in Python, character for character."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from unicodedata import is_normalized, normalize

from konayuki.model import code_points
from konayuki.model.charsmap import CharacterMap

Normalizer = Callable[[str], str]
Definition = Mapping[str, Any]

# What Rust calls white space: Python adds U+001C to U+001F.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WHITE_SPACE_RUN = re.compile(f"[{WHITE_SPACE}]+")
LEADING = re.compile(rf"\A[{WHITE_SPACE}]+")
TRAILING = re.compile(rf"[{WHITE_SPACE}]+\Z")


class UnsupportedError(Exception):
    """A part of a tokenizer that we leave to `tokenizers`."""


def build_normalizer(definition: Definition | None) -> Normalizer:
    """Return the function that a normaliser definition describes.

    Raises:
        UnsupportedError: it holds a part that is not emulated here.
    """
    if definition is None:
        return str
    kind = definition.get("type")
    builder = BUILDERS.get(str(kind))
    if builder is None:
        raise UnsupportedError(f"normaliser {kind}")
    return builder(definition)


def lower(text: str) -> str:
    """Return the text in lower case, each character by itself.

    Python lowers a capital sigma at the end of a word to the final form; Rust, which goes
    character by character, does not.
    """
    if "Σ" in text:
        text = text.replace("Σ", "σ")
    return text.lower()


def _sequence(definition: Definition) -> Normalizer:
    steps = [build_normalizer(step) for step in definition["normalizers"]]
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps
        return lambda text: second(first(text))

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def _unicode(definition: Definition) -> Normalizer:
    form = definition["type"]

    def run(text: str) -> str:
        if is_normalized(form, text):
            return text
        parts = young().split(text)
        if len(parts) == 1:
            return normalize(form, text)
        parts[::2] = [normalize(form, part) for part in parts[::2]]  # the others are the young
        return "".join(parts)

    return run


@cache
def young() -> re.Pattern[str]:
    """Return the pattern that splits a text at characters that `tokenizers` does not know yet."""
    return re.compile(f"([{code_points.YOUNG}])")


def _precompiled(definition: Definition) -> Normalizer:
    return CharacterMap(b64decode(definition["precompiled_charsmap"], validate=True))


def _strip(definition: Definition) -> Normalizer:
    left, right = definition["strip_left"], definition["strip_right"]

    def run(text: str) -> str:
        text = LEADING.sub("", text) if left else text
        return TRAILING.sub("", text) if right else text

    return run


def _replace(definition: Definition) -> Normalizer:
    pattern, content = definition["pattern"], definition["content"]
    if set(pattern) == {"String"} and pattern["String"]:
        literal = pattern["String"]
        return lambda text: text.replace(literal, content)
    if set(pattern) == {"Regex"} and pattern["Regex"] in REGEXES:
        compiled = REGEXES[pattern["Regex"]]
        return lambda text: compiled.sub(lambda _: content, text)
    raise UnsupportedError(f"replacement of {pattern}")


def _prepend(definition: Definition) -> Normalizer:
    prefix = definition["prepend"]
    return lambda text: prefix + text if text else text


REGEXES = {" {2,}": re.compile(" {2,}"), r"\s+": WHITE_SPACE_RUN}

BUILDERS: dict[str, Callable[[Definition], Normalizer]] = {
    "Sequence": _sequence,
    "NFC": _unicode,
    "NFD": _unicode,
    "NFKC": _unicode,
    "NFKD": _unicode,
    "Lowercase": lambda _: lower,
    "Strip": _strip,
    "Replace": _replace,
    "Prepend": _prepend,
    "Precompiled": _precompiled,
}
