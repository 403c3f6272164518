"""Markdown into a document cut at its headings."""

import re
from collections.abc import Iterator

from konayuki.ingest.outline import Item, Outline, Part, outline
from konayuki.text import decode

_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_PLAIN_WORDS = re.compile(r"[^\s\-*+>|#`]")
_FRONT_MATTER_ENDS = ("---", "...")


def read_markdown(content: bytes, name: str) -> list[Item]:
    """Return the one document of a Markdown file."""
    return [markdown_outline(decode(content, name))]


def markdown_outline(text: str) -> Outline:
    """Return the title and the sections of a Markdown text.

    The title comes from the front matter, else from the first heading of level 1, which then is
    not repeated in the headings of the sections. Headings inside fenced code are code.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title, start = _front_matter_title(text)
    return outline(_parts(text[start:]), title)


def _front_matter_title(text: str) -> tuple[str, int]:
    """Return the title in the front matter, and the offset behind it."""
    lines = text.split("\n")
    if lines[0].rstrip(" \t") != "---":
        return "", 0
    title = ""
    for number, line in enumerate(lines[1:-1], start=1):
        if line.rstrip(" \t") in _FRONT_MATTER_ENDS:
            return title, sum(len(line) + 1 for line in lines[: number + 1])
        if line.startswith("title:") and not title:
            title = _unquoted(line.removeprefix("title:").strip(" \t"))
    return "", 0


def _unquoted(value: str) -> str:
    quoted = len(value) > 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _parts(text: str) -> Iterator[Part]:
    level, heading = 0, ""
    body: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif found := _heading(line):
            yield level, heading, "\n".join(body)
            (level, heading), body = found, []
            continue
        elif body and (under := _UNDERLINE.match(line)) and _is_paragraph(body):
            title = body.pop()
            yield level, heading, "\n".join(body)
            level, heading, body = 1 if under[1][0] == "=" else 2, title.strip(), []
            continue
        body.append(line)
    yield level, heading, "\n".join(body)


def _heading(line: str) -> tuple[int, str] | None:
    """Return level and words of a heading such as `## 準備 ##`.

    No pattern: one that finds closing number signs behind words and spaces backtracks for hours.
    """
    bare = line.lstrip(" ")
    if len(line) - len(bare) > 3 or not bare.startswith("#"):
        return None
    words = bare.lstrip("#")
    level = len(bare) - len(words)
    if level > 6 or (words and words[0] not in " \t"):
        return None
    words = words.strip(" \t")
    opened = words.rstrip("#")
    if opened != words and (not opened or opened[-1] in " \t"):  # "C#" is a word of its own
        words = opened.rstrip(" \t")
    return level, words


def _is_paragraph(body: list[str]) -> bool:
    """Return whether the last line can be an underlined heading: one line of plain words."""
    alone = len(body) == 1 or not body[-2].strip()
    return alone and bool(_PLAIN_WORDS.match(body[-1]))
