"""The normaliser of a `tokenizer.json`, step by step, character for character."""

import math
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from unicodedata import category, is_normalized

from konayuki.model import code_points
from konayuki.model.charsmap import CharacterMap, joins_cluster
from konayuki.text import normalize

Normalizer = Callable[[str], str]
Definition = Mapping[str, Any]

# White space as Rust defines it: Python adds U+001C to U+001F.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WHITE_SPACE_RUN = re.compile(f"[{WHITE_SPACE}]+")
LEADING = re.compile(rf"\A[{WHITE_SPACE}]+")
TRAILING = re.compile(rf"[{WHITE_SPACE}]+\Z")
HANGUL_JAMO = range(0x1100, 0x1200)  # the one script besides marks whose letters compose
# How many times longer a text may become by what a file replaces and prepends. The largest that
# published tokenizers need is the 18 characters for U+FDFA in their character maps.
MOST_GROWTH = 64


class UnsupportedError(Exception):
    """A part of a tokenizer that we leave to `tokenizers`."""


@dataclass(frozen=True)
class Rewrite:
    """A step over a whole text that the kernel does symbol by symbol; see native/rewrite.h.

    Attributes:
        kind: A name of `konayuki.model.native.REWRITES`.
        old: The character that is replaced, for the kinds that look for one.
        new: The character that comes in its place.
    """

    kind: str
    old: str = " "
    new: str = " "


@dataclass(frozen=True)
class Step:
    """One step of a normaliser.

    Attributes:
        apply: Text to normalised text.
        in_context: If the step treats a character in the same way wherever it is, except next to
            certain characters: whether a character is such a one. None for steps that look at the
            whole text.
        rewrite: The same step as the kernel does it over a whole text, if it can.
        growth: How many times longer a text may become, as far as the file decides it.
        looks_back: Whether a character may depend on the one before it.
    """

    apply: Normalizer
    in_context: Callable[[str], bool] | None = None
    rewrite: Rewrite | None = None
    growth: float = 1.0
    looks_back: bool = False


def build_steps(definition: Definition | None) -> list[Step]:
    """Return the steps of a normaliser definition, those of nested sequences in order.

    Raises:
        UnsupportedError: A step that is not emulated here.
        ValueError: A step is damaged, or the steps together let texts grow beyond all bounds.
    """
    steps = []
    for part in flatten(definition, "normalizers"):
        builder = BUILDERS.get(str(part.get("type")))
        if builder is None:
            raise UnsupportedError(f"normaliser {part.get('type')}")
        steps += builder(part)
    growth = math.prod(step.growth for step in steps)
    if growth > MOST_GROWTH:
        raise ValueError(
            f"the normaliser makes texts up to {growth:.0f} times longer: "
            f"expected at most {MOST_GROWTH}"
        )
    return steps


def build_normalizer(definition: Definition | None) -> Normalizer:
    """Return the function that a normaliser definition describes.

    Raises:
        UnsupportedError: A step that is not emulated here.
        ValueError: A step is damaged; see `build_steps`.
    """
    return chain([step.apply for step in build_steps(definition)])


def chain(steps: Sequence[Normalizer]) -> Normalizer:
    """Return the function that applies the steps one after the other."""
    if not steps:
        return str
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


def flatten(definition: Definition | None, parts: str) -> list[Definition]:
    """Return a definition and what is nested in its sequences, in order.

    Args:
        definition: The entry `normalizer` or `pre_tokenizer` of a `tokenizer.json`.
        parts: The key of a sequence's parts: "normalizers" or "pretokenizers".
    """
    if definition is None:
        return []
    if definition.get("type") == "Sequence":
        return [step for part in definition[parts] for step in flatten(part, parts)]
    return [definition]


def string(definition: Definition, key: str) -> str:
    """Return an entry that has to be a string.

    Raises:
        ValueError: It is something else.
    """
    value = definition[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}: expected a string")
    return value


def lower(text: str) -> str:
    """Return the text in lower case, each character by itself.

    Python lowers a capital sigma at the end of a word to the final form; Rust, which goes
    character by character, does not.
    """
    if "Σ" in text:
        text = text.replace("Σ", "σ")
    return text.lower()


def composes(character: str) -> bool:
    """Return whether a character may compose with, or move past, its neighbours."""
    return (
        category(character)[0] == "M"
        or ord(character) in HANGUL_JAMO
        or 0xD800 <= ord(character) < 0xE000
    )


def _unicode(definition: Definition) -> list[Step]:
    return [Step(partial(_normalized, definition["type"]), in_context=composes)]


def _normalized(form: Any, text: str) -> str:  # noqa: ANN401 - mypy has a Literal for it
    if is_normalized(form, text):
        return text
    parts = young().split(text)
    if len(parts) == 1:
        return normalize(form, text)
    parts[::2] = [normalize(form, part) for part in parts[::2]]  # the others are the young
    return "".join(parts)


@cache
def young() -> re.Pattern[str]:
    """Return the pattern that splits a text at characters that `tokenizers` does not know yet."""
    return re.compile(f"([{code_points.YOUNG}])")


def _precompiled(definition: Definition) -> list[Step]:
    content = b64decode(string(definition, "precompiled_charsmap"), validate=True)
    character_map = CharacterMap(content)
    growth = character_map.growth
    return [Step(character_map, in_context=joins_cluster, growth=growth, looks_back=True)]


def _strip(definition: Definition) -> list[Step]:
    steps = []
    if definition["strip_left"]:
        steps.append(Step(partial(LEADING.sub, ""), rewrite=Rewrite("strip left")))
    if definition["strip_right"]:
        steps.append(Step(partial(TRAILING.sub, ""), rewrite=Rewrite("strip right")))
    return steps


def _replace(definition: Definition) -> list[Step]:
    pattern, content = definition["pattern"], string(definition, "content")
    if set(pattern) == {"String"} and pattern["String"]:
        literal = string(pattern, "String")
        local = len(literal) == 1
        step = Step(
            lambda text: text.replace(literal, content),
            in_context=(lambda _: False) if local else None,
            rewrite=Rewrite("replace", literal, content) if local and len(content) == 1 else None,
            growth=max(1.0, len(content) / len(literal)),
        )
        return [step]
    if set(pattern) == {"Regex"} and pattern["Regex"] in REGEXES:
        compiled, least, kind = REGEXES[pattern["Regex"]]
        step = Step(
            lambda text: compiled.sub(lambda _: content, text),
            rewrite=Rewrite(kind, " ", content) if len(content) == 1 else None,
            growth=max(1.0, len(content) / least),
        )
        return [step]
    raise UnsupportedError(f"replacement of {pattern}")


def _prepend(definition: Definition) -> list[Step]:
    prefix = string(definition, "prepend")
    step = Step(
        lambda text: prefix + text if text else text,
        rewrite=Rewrite("prepend", prefix, prefix) if len(prefix) == 1 else None,
        growth=1.0 + len(prefix),
    )
    return [step]


# Patterns, the fewest characters that they match, and their rewrites.
REGEXES = {
    " {2,}": (re.compile(" {2,}"), 2, "join spaces"),
    r"\s+": (WHITE_SPACE_RUN, 1, "join white space"),
}

BUILDERS: dict[str, Callable[[Definition], list[Step]]] = {
    "NFC": _unicode,
    "NFD": _unicode,
    "NFKC": _unicode,
    "NFKD": _unicode,
    "Lowercase": lambda _: [Step(lower, in_context=lambda _: False)],
    "Strip": _strip,
    "Replace": _replace,
    "Prepend": _prepend,
    "Precompiled": _precompiled,
}
