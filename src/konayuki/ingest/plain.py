"""Kinds that are nearly text: notebooks, Org, AsciiDoc, subtitles, JSON and source code."""

import json
import re
from collections.abc import Iterator
from typing import Any

from konayuki.errors import FormatError
from konayuki.ingest.markdown import markdown_outline
from konayuki.ingest.outline import Item, Outline, Part, Section, outline
from konayuki.text import decode

_ORG_HEADING = re.compile(r"(\*{1,30})[ \t]+(?:(?:TODO|DONE)[ \t]+)?")
_ORG_TAGS = re.compile(r":[\w@#%:]{1,200}:$")
_ASCIIDOC_HEADING = re.compile(r"(={1,6})[ \t]+(?=\S)")
_TIMING = re.compile(r"(?:[0-9]+:)?[0-9]{1,2}:[0-9]{2}[,.][0-9]{1,3} --> ")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|\{\\[^{}]{0,200}\}")


def read_notebook(content: bytes, name: str) -> list[Item]:
    """Return a Jupyter notebook as one document of its notes and its code, without outputs."""
    cells = _json(content, name)
    cells = cells.get("cells") if isinstance(cells, dict) else None
    if not isinstance(cells, list):
        raise FormatError(f"{name}: no list of cells: expected a Jupyter notebook")
    texts = []
    for cell in cells:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        is_code = isinstance(cell, dict) and cell.get("cell_type") == "code"
        texts.append(f"~~~~~~~~\n{text}\n~~~~~~~~" if is_code else text)
    sections = markdown_outline("\n\n".join(texts))
    return [
        Outline(
            sections.title,
            tuple(
                Section(
                    part.headings, part.text.replace("~~~~~~~~\n", "").replace("\n~~~~~~~~", "")
                )
                for part in sections.sections
            ),
        )
    ]


def read_org(content: bytes, name: str) -> list[Item]:
    """Return an Org file as one document."""
    title, lines = "", []
    for line in _lines(content, name):
        if line[:8].lower() == "#+title:":
            title = line[8:].strip()
        else:
            lines.append(line)
    return [outline(_parts(lines, _ORG_HEADING), title)]


def read_asciidoc(content: bytes, name: str) -> list[Item]:
    """Return an AsciiDoc file as one document."""
    return [outline(_parts(_lines(content, name), _ASCIIDOC_HEADING))]


def read_subtitles(content: bytes, name: str) -> list[Item]:
    """Return what is said in subtitles, without numbers and times; a section for each minute."""
    minutes: dict[str, list[str]] = {}
    minute = ""
    for line in _lines(content, name):
        if timing := _TIMING.match(line):
            minute = re.split(r"[,.]", timing[0])[0].rpartition(":")[0]
        elif minute and line.strip() and not line.strip().isdigit():
            minutes.setdefault(minute, []).append(_TAG.sub("", line).strip())
    sections = [Section((time,), "\n".join(said), {"time": time}) for time, said in minutes.items()]
    return [Outline("", tuple(sections))]


def read_json(content: bytes, name: str) -> list[Item]:
    """Return the strings and numbers of a JSON file as one document, each with its keys."""
    lines = [f"{path}: {text}" if path else text for path, text in _leaves(_json(content, name))]
    return [Outline("", (Section((), "\n".join(lines)),))]


def _json(content: bytes, name: str) -> Any:  # noqa: ANN401 - what JSON holds
    try:
        return json.loads(decode(content, name))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: not JSON: {error}") from error


def _leaves(value: object) -> Iterator[tuple[str, str]]:
    """Yield the last two keys and the text of everything that holds no more."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key)[-2:], value[key]) for key in reversed(value)]
        elif isinstance(value, list):
            waiting += [(path, item) for item in reversed(value)]
        elif value not in (None, ""):
            text = str(value).encode("utf-8", "replace").decode()
            yield ".".join(path).encode("utf-8", "replace").decode(), text


def _parts(lines: list[str], pattern: re.Pattern[str]) -> Iterator[Part]:
    level, heading = 0, ""
    body: list[str] = []
    for line in lines:
        if mark := pattern.match(line):
            yield level, heading, "\n".join(body)
            words = line[mark.end() :].rstrip()
            level, heading, body = len(mark[1]), _ORG_TAGS.sub("", words).rstrip(), []
        else:
            body.append(line)
    yield level, heading, "\n".join(body)


def _lines(content: bytes, name: str) -> list[str]:
    return decode(content, name).replace("\r\n", "\n").replace("\r", "\n").split("\n")
