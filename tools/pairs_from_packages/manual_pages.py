"""Manual pages into sections: the macros of man(7), as far as running text needs them.

Examples, tables and pages in mdoc(7) are left out; `.so` pages hold no text of their own.
"""

import re
from collections.abc import Iterable, Iterator

from pairs_from_packages.archives import Member
from pairs_from_packages.text import Section, decode, is_japanese, tidy

NAMES = ("名前", "名称", "NAME")
DESCRIPTIONS = ("説明", "解説", "DESCRIPTION", "概要説明")
UNREAD_SECTIONS = {
    *("書式", "SYNOPSIS", "関連項目", "SEE ALSO", "この文書について", "COLOPHON"),
    *("著者", "作者", "翻訳者謝辞", "AUTHOR", "AUTHORS", "COPYRIGHT"),
}
UNREAD = {"nf": "fi", "EX": "EE", "TS": "TE", "de": ".", "ig": "."}
SPACED = {"B", "I", "SM", "SB", "R"}
ALTERNATING = {"BR", "RB", "IR", "RI", "BI", "IB"}
LONG_TITLE = 8  # characters from which a subsection's title stands for itself
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
_COMMENT = re.compile(r'\\".*$')
_FONT = re.compile(r"\\(f(\[\w*\]|\(..|.)|s[+-]?\d+|[&|^%/,])")
_NAMED = {
    r"\-": "-",
    r"\e": "\\",
    r"\\": "\\",
    r"\~": " ",
    r"\ ": " ",
    r"\(aq": "'",
    r"\(dq": '"',
    r"\(bu": "・",
    r"\(co": "©",
    r"\(em": "—",
    r"\(en": "–",
    r"\(->": "→",
    r"\(lq": "“",
    r"\(rq": "”",
    r"\*(lq": "“",
    r"\*(rq": "”",
    r"\'": "'",
    r"\`": "`",
    r"\.": ".",
    r"\:": "",
    r"\c": "",
}
_ESCAPE = re.compile(r"\\(\*?\(..|\*?\[[^\]]*\]|.)")


def read_manuals(members: Iterable[Member]) -> Iterator[Section]:
    """Yield description -> text and heading -> text of each page of a package."""
    for member in members:
        yield from manual_sections(decode(member.content))


def manual_sections(page: str) -> Iterator[Section]:
    """Yield the sections of one page; nothing if it names no purpose in Japanese."""
    parts = list(_parts(page))
    purpose = next((body for _, title, body in parts if title in NAMES), "")
    name, dash, description = (piece.strip() for piece in purpose.partition(" - "))
    if not dash or not is_japanese(description):
        return
    for level, title, body in parts:
        if title in NAMES or title in UNREAD_SECTIONS or not body:
            continue
        if title in DESCRIPTIONS:
            yield Section(name, description, body)
        elif level == "SS" and len(title) >= LONG_TITLE and is_japanese(title):
            yield Section(f"{name} {description}", title, body)
        else:
            yield Section("", f"{name} {description} {title}", body)


def _parts(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield level (SH or SS), title and text of each part."""
    level, title, lines = "", "", [""]
    awaited = waits_for_title = ""
    for line in page.splitlines():
        macro, arguments = _macro(line)
        if awaited:
            awaited = "" if macro == awaited else awaited
        elif waits_for_title:
            title, waits_for_title = _plain(line), ""
        elif macro in UNREAD:
            awaited = UNREAD[macro]
        elif macro in {"SH", "SS"}:
            if title:
                yield level, title, tidy("\n".join(lines))
            level, title, lines = macro, _plain(" ".join(arguments)), []
            waits_for_title = "" if title else macro
        else:
            lines.append(_text(macro, arguments, line))
    if title:
        yield level, title, tidy("\n".join(lines))


def _macro(line: str) -> tuple[str, list[str]]:
    """Return the name of a line's macro and its arguments; "" for a line of text."""
    if not line.startswith((".", "'")):
        return "", []
    name, _, rest = line[1:].lstrip().partition(" ")
    if name.startswith("\\"):
        return "\\", []  # a comment
    quoted = (found.group(1) or found.group(2) or "" for found in _ARGUMENT.finditer(rest))
    return name, list(quoted)


def _text(macro: str, arguments: list[str], line: str) -> str:
    if not macro:
        return _plain(line)
    if macro in SPACED:
        return _plain(" ".join(arguments))
    if macro in ALTERNATING:
        return _plain("".join(arguments))
    if macro == "IP":
        return _plain(arguments[0]) if arguments else ""
    return ""


def _plain(text: str) -> str:
    """Return a line without fonts, comments and escapes."""
    text = _FONT.sub("", _COMMENT.sub("", text))
    return _ESCAPE.sub(lambda found: _NAMED.get(found.group(0), ""), text).strip()
