"""The kinds of files that can be read: one table that all that name them follow."""

import os
from dataclasses import dataclass

from konayuki.ingest.epub import read_epub
from konayuki.ingest.html import read_html
from konayuki.ingest.mail import read_eml, read_mbox
from konayuki.ingest.markdown import read_markdown
from konayuki.ingest.office import read_docx, read_pptx, read_xlsx
from konayuki.ingest.outline import Item, Outline, Reader, Section
from konayuki.ingest.pdf import read_pdf
from konayuki.ingest.plain import (
    read_asciidoc,
    read_json,
    read_notebook,
    read_org,
    read_subtitles,
)
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
        has_lines: Whether people look into such files with an editor that counts lines.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    extra: str = ""
    has_lines: bool = False


def read_text(content: bytes, name: str) -> list[Item]:
    """Return a plain text as one document."""
    return [Outline("", (Section((), decode(content, name)),))]


# fmt: off
_CODE = (
    ".py", ".js", ".ts", ".jsx", ".tsx", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs",
    ".go", ".rs", ".rb", ".php", ".swift", ".scala", ".sh", ".ps1", ".bat", ".sql", ".r", ".lua",
    ".pl", ".vb", ".tex",
)
# fmt: on
TEXT = Kind("text", (".txt", ".text", ".log"), read_text, has_lines=True)
JSON_LINES = Kind("JSONL", (".jsonl", ".ndjson"), read_json_lines)
KINDS = (
    TEXT,
    Kind("Markdown", (".md", ".markdown"), read_markdown, has_lines=True),
    Kind("reStructuredText", (".rst",), read_rst, has_lines=True),
    Kind("HTML", (".html", ".htm"), read_html),
    Kind("CSV", (".csv",), read_csv),
    Kind("TSV", (".tsv",), read_tsv),
    JSON_LINES,
    Kind("Word", (".docx",), read_docx),
    Kind("PowerPoint", (".pptx",), read_pptx),
    Kind("Excel", (".xlsx",), read_xlsx),
    Kind("PDF", (".pdf",), read_pdf, "documents"),
    Kind("e-books", (".epub",), read_epub),
    Kind("mail", (".eml",), read_eml),
    Kind("mailboxes", (".mbox",), read_mbox),
    Kind("Jupyter notebooks", (".ipynb",), read_notebook),
    Kind("Org", (".org",), read_org, has_lines=True),
    Kind("AsciiDoc", (".adoc", ".asciidoc"), read_asciidoc, has_lines=True),
    Kind("subtitles", (".srt", ".vtt"), read_subtitles, has_lines=True),
    Kind("JSON", (".json",), read_json),
    Kind("source code", _CODE, read_text, has_lines=True),
)
_BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)


def kind_of(name: str) -> Kind | None:
    """Return the kind of a file with this name, None for an unknown suffix."""
    return _BY_SUFFIX.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - ten times as fast


def kinds_in_words() -> str:
    """Return the names of all kinds: "text, Markdown, …"."""
    return ", ".join(kind.name for kind in KINDS)
