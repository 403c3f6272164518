"""The kinds of files that can be read: one table that all that name them follow."""

from dataclasses import dataclass
from pathlib import PurePath

from konayuki.ingest.html import read_html
from konayuki.ingest.markdown import read_markdown
from konayuki.ingest.outline import Item, Outline, Reader, Section
from konayuki.ingest.rst import read_rst
from konayuki.ingest.tables import read_csv, read_json_lines, read_tsv
from konayuki.text import decode


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: What help and documentation call it.
        suffixes: The suffixes of its files, in lower case.
        read: Turns the content and the name of a file into its documents or rows.
        extra: The optional extra of konayuki that it needs, or "".
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    extra: str = ""


def read_text(content: bytes, name: str) -> list[Item]:
    """Return a plain text as one document."""
    return [Outline("", (Section((), decode(content, name)),))]


TEXT = Kind("text", (".txt",), read_text)
JSON_LINES = Kind("JSONL", (".jsonl", ".ndjson"), read_json_lines)
KINDS = (
    TEXT,
    Kind("Markdown", (".md", ".markdown"), read_markdown),
    Kind("reStructuredText", (".rst",), read_rst),
    Kind("HTML", (".html", ".htm"), read_html),
    Kind("CSV", (".csv",), read_csv),
    Kind("TSV", (".tsv",), read_tsv),
    JSON_LINES,
)
_BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)


def kind_of(name: str) -> Kind | None:
    """Return the kind of a file with this name, None for an unknown suffix."""
    return _BY_SUFFIX.get(PurePath(name).suffix.lower())


def kinds_in_words() -> str:
    """Return the names of all kinds: "text, Markdown, …"."""
    return ", ".join(kind.name for kind in KINDS)
