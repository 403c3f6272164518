"""PDF into a document with a section for each page."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from konayuki.errors import FormatError
from konayuki.extras import require
from konayuki.ingest.outline import Item, Outline, Section, shortened

LIMIT_S = 120
# By its path, not by its name: the package would bring a second of imports along.
_READ = "import runpy, sys; sys.path[:0] = sys.argv[2:]; runpy.run_path(sys.argv[1])['main']()"
_PAGES = Path(__file__).with_name("pdf_pages.py")
_EDGE_LINES = 2  # at the top and bottom of a page, among which headers and footers are looked for
_FEWEST_PAGES = 3  # that must share a line before it counts as a header
_DIGITS = re.compile(r"[0-9０-９]+")
_MADE_UP_TITLE = re.compile(
    r"(?i)(?:microsoft \w+ - .*|untitled|無題|.*\.(?:docx?|xlsx?|pptx?|indd|pdf))"
)


def read_pdf(content: bytes, name: str) -> list[Item]:
    """Return the one document of a PDF file; the heading of each page is its number.

    Lines that most pages share, but for numbers, are headers and footers, and left out.

    Raises:
        FormatError: It is not a PDF, needs a password, or holds pictures of pages only.
        MissingExtraError: The extra "documents" is not installed.
    """
    title, pages = _text(content, name)
    if not any(map(str.strip, pages)):
        raise FormatError(f"{name}: no text in {len(pages)} pages: expected more than pictures")
    sections = [
        Section((f"p.{number}",), text, {"page": number})
        for number, text in enumerate(_without_frames(pages), start=1)
    ]
    return [Outline("" if _MADE_UP_TITLE.fullmatch(title) else shortened(title), tuple(sections))]


def _text(content: bytes, name: str) -> tuple[str, list[str]]:
    """Return the title and the text of each page.

    Read by a process of its own, so that a PDF that was made to do harm, or is only broken, takes
    neither this one with it nor all of its memory or time.
    """
    require("pypdfium2", "documents")
    paths = [path for path in sys.path if path]  # isolated: nothing of the working folder is run
    try:
        done = subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-I", "-c", _READ, str(_PAGES), *paths],
            input=content,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FormatError(f"{name}: not read within {LIMIT_S} seconds: expected less") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise FormatError(
            f"{name}: PDFium gave up (exit code {done.returncode}): expected a PDF that it can read"
        ) from None
    if "error" in answer:
        raise FormatError(f"{name}: {answer['error']}")
    return answer["title"], answer["pages"]


def _without_frames(pages: list[str]) -> list[str]:
    """Return pages without the lines that most of them have at their top or bottom."""
    by_page = [[line for line in page.split("\n") if line.strip()] for page in pages]
    shared = Counter(
        key for lines in by_page for key in {_frame_key(line) for line in _edges(lines)}
    )
    frames = {key for key, n in shared.items() if n >= max(_FEWEST_PAGES, 0.6 * len(pages))}
    return ["\n".join(_stripped(lines, frames)) for lines in by_page]


def _edges(lines: list[str]) -> list[str]:
    return lines[:_EDGE_LINES] + lines[_EDGE_LINES:][-_EDGE_LINES:]


def _stripped(lines: list[str], frames: set[str]) -> list[str]:
    last = len(lines) - _EDGE_LINES
    edge = [place < _EDGE_LINES or place >= last for place in range(len(lines))]
    both = zip(lines, edge, strict=True)
    return [line for line, outer in both if not (outer and _frame_key(line) in frames)]


def _frame_key(line: str) -> str:
    return _DIGITS.sub("#", line.strip())
