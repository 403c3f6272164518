"""Markdown into a document cut at its headings."""

import re
from collections.abc import Iterator

from konayuki.ingest import front_matter
from konayuki.ingest.outline import Item, Outline, Part, outline
from konayuki.text import decode

_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_PLAIN_WORDS = re.compile(r"[^\s\-*+>|#`]")
# Between marks of code and URLs on the left, and Latin digits alone are numbers of issues.
_TAG = re.compile(r"(?<![^\s（(、。，])#(?![0-9]+(?:\s|$))([\w/-]{1,100})")
_WIKILINK = re.compile(r"!?\[\[([^\[\]|\n]{1,500})(?:\|([^\[\]\n]{1,500}))?\]\]")
_CALLOUT = re.compile(r"^([ \t]{0,3}>[ \t]?)\[!\w{1,40}\][-+]?[ \t]?", re.MULTILINE)
_MAX_TAGS = 100
_AUTHORS = ("author", "作者", "著者")


def read_markdown(content: bytes, name: str) -> list[Item]:
    """Return the one document of a Markdown file."""
    return [markdown_outline(decode(content, name))]


def markdown_outline(text: str) -> Outline:
    """Return the title and the sections of a Markdown text.

    The title comes from the front matter, else from the first heading of level 1, which then is
    not repeated in the headings of the sections. Headings inside fenced code are code. Everything
    in the front matter, and inline #tags, become metadata; tags, aliases and authors are part of
    the text, so that they are found. Links between notes are read as the text that they show.
    """
    properties, text = front_matter.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    title = properties.pop("title", None)
    tags = [tag for key in ("tags", "tag") for tag in front_matter.words(properties.pop(key, None))]
    lines = text.split("\n")
    prose = "\n".join(line for line, is_code in _with_code(lines) if not is_code)
    tags += _TAG.findall(prose)
    aliases = [str(alias) for alias in _listed(properties.get("aliases"))]
    if tags:
        properties["tags"] = list(dict.fromkeys(tags))[:_MAX_TAGS]
    if aliases:
        properties["aliases"] = aliases
    shown = [" ".join(f"#{tag}" for tag in properties.get("tags", ()) if f"#{tag}" not in text)]
    authors = (properties.get(key) for key in _AUTHORS)
    shown += [" ".join([*aliases, *(author for author in authors if isinstance(author, str))])]
    text = "\n\n".join(filter(None, [*shown, _CALLOUT.sub(r"\1", _WIKILINK.sub(_shown, text))]))
    return outline(_parts(text), "" if title is None else str(title), properties)


def _listed(value: object) -> list[object]:
    """Return a property that may be one value or a list of them as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _shown(link: re.Match[str]) -> str:
    """Return what a link between notes shows: its own words, or the name of the note."""
    return link[2] or link[1].replace("#", " ").strip()


def _parts(text: str) -> Iterator[Part]:
    level, heading = 0, ""
    body: list[str] = []
    for line, is_code in _with_code(text.split("\n")):
        if is_code:
            pass
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


def _with_code(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield lines, each with whether it is fenced code, the fences included."""
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        yield line, bool(fence or mark)
        if not fence:
            fence = mark[1] if mark else ""
        elif mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            fence = ""


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
