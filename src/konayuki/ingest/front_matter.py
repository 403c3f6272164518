"""The properties at the top of a Markdown note: the part of YAML that note editors write.

Keys with scalars, lists of them (`[a, b]` or a line each), quotes, comments and blocks of text.
Anything else is kept as the text that it is. No package for all of YAML: it would be one more
dependency, and it reads `いいえ: no` as false and tags as Python objects.
"""

import re
from collections.abc import Iterator
from typing import Any

Properties = dict[str, Any]
MAX_CHARACTERS = 10_000  # they become metadata; only short ones of every passage
_KEY = re.compile(r"([^\s:#\-\[{\"'][^:]*|\"[^\"]*\"|'[^']*'):(?:[ \t]+|$)")
_ENDS = ("---", "...")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")
_QUOTED = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\']|\'\')*)\')(?:[ \t]+#.*)?')
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\']|\'\')*)\'|([^,]+)')


def split(text: str) -> tuple[Properties, str]:
    """Return the properties of a note and the rest of its text.

    Without front matter, or if it is longer than `MAX_CHARACTERS`, the rest is the whole text.
    """
    if not text.startswith("---"):
        return {}, text
    head = text[: MAX_CHARACTERS + 8]
    lines = head.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    for number, line in enumerate(lines[1:], start=1):
        whole = number < len(lines) - 1 or len(head) == len(text)
        if whole and line.rstrip() in _ENDS:
            length = sum(len(line) + 1 for line in lines[: number + 1])
            return dict(_properties(lines[1:number])), text[length:]
    return {}, text


def _properties(lines: list[str]) -> Iterator[tuple[str, Any]]:
    place = 0
    while place < len(lines):
        key = _KEY.match(lines[place])
        place += 1
        if key is None:
            continue
        value = lines[place - 1][key.end() :]
        end = place
        while end < len(lines) and (lines[end][:1] in ("", " ", "\t", "-")):
            end += 1
        nested, place = lines[place:end], end
        yield key[1].strip().strip("\"'"), _value(value.strip(), nested)


def _value(value: str, nested: list[str]) -> Any:  # noqa: ANN401 - what YAML holds
    """Return the value on the line of a key and on the lines below it."""
    below = [line.strip() for line in nested if line.strip() and not _is_comment(line)]
    if value[:1] in ("|", ">") and len(value) <= 2:
        return ("\n" if value[0] == "|" else " ").join(below)
    if not value or _is_comment(value):
        if below and all(line.startswith("-") for line in below):
            return [_scalar(line[1:].strip()) for line in below]
        return "\n".join(below) or None
    if value.startswith("[") and not value.startswith("[["):
        listed = " ".join([value, *below])
        closed = listed.rfind("]")
        return _items(listed[1 : closed if closed > 0 else None])
    return _scalar(" ".join([value, *below]))


def _items(text: str) -> list[Any]:
    """Return the items of a list in brackets."""
    items = []
    for double, single, bare in _ITEM.findall(text):
        if not bare:
            items.append(_unescaped(double) if double else single.replace("''", "'"))
        elif bare.strip():
            items.append(_scalar(bare.strip()))
    return items


def _scalar(text: str) -> str | int | float | bool | None:
    if quoted := _QUOTED.fullmatch(text):
        double, single = quoted.groups()
        return single.replace("''", "'") if double is None else _unescaped(double)
    bare = text.partition(" #")[0].rstrip()
    if _INTEGER.fullmatch(bare):
        return int(bare)
    if _DECIMAL.fullmatch(bare):
        return float(bare)
    return _CONSTANTS.get(bare.lower(), bare) if len(bare) <= 5 else bare


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), text)


def _is_comment(text: str) -> bool:
    return text.lstrip().startswith("#")


def words(value: object) -> list[str]:
    """Return a property that lists words, such as tags, as strings without a number sign."""
    if isinstance(value, str):
        value = re.split(r"[,、\s]+", value)
    items = value if isinstance(value, list) else [value]
    return [text for item in items if item is not None and (text := str(item).strip().lstrip("#"))]
