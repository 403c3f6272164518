"""The text of PDF pages, for a process of its own: PDFium is C++ that reads what strangers wrote.

Standard input is the PDF; standard output one JSON object: `title` and `pages`, or `error`.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

MEMORY_BYTES = 2 << 30
MOST_CHARACTERS = 64_000_000
_SAMPLE = 400  # characters of a page that tell whether it is written downwards
_FEWEST = 8  # of them that must be of such a script
_RUBY = 0.65  # of the usual size: smaller letters between columns are readings


class _Letter(NamedTuple):
    text: str
    x: float  # of its middle
    y: float
    size: float


def main() -> None:
    """Read the PDF, with little memory and for a limited time where the system can see to that."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows; a lower limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        answer = read(sys.stdin.buffer.read())
    except MemoryError:
        answer = {"error": f"more than {MEMORY_BYTES >> 20} MB of memory"}
    sys.stdout.buffer.write(json.dumps(answer).encode())


def read(content: bytes) -> dict[str, Any]:
    """Return title and pages of a PDF, or the error."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(content)
        title = document.get_metadata_dict().get("Title", "").strip("\0 ")
        pages: list[str] = []
        n_characters = 0
        for number in range(len(document)):
            pages.append(_page_text(document[number]))
            n_characters += len(pages[-1])
            if n_characters > MOST_CHARACTERS:
                return {"error": f"more than {MOST_CHARACTERS:,} characters"}
    except pdfium.PdfiumError as error:
        return {"error": f"not a PDF that can be read: {error}"}
    return {"title": title, "pages": pages}


def _page_text(page: Any) -> str:  # noqa: ANN401 - of a package without types
    lines = page.get_textpage()
    n_letters = lines.count_chars()
    if _is_vertical(list(_letters(lines, min(n_letters, _SAMPLE)))):
        text = "\n".join(columns(list(_letters(lines, n_letters))))
    else:
        text = lines.get_text_bounded()
    lines.close()
    page.close()
    # U+FFFE is a hyphen at the end of a line; a lone surrogate is half a broken character.
    text = text.replace("\r\n", "\n").replace("\ufffe", "").replace("\0", "")
    return str(text.encode("utf-8", "replace").decode())


def _letters(lines: Any, number: int) -> Iterator[_Letter]:  # noqa: ANN401
    """Yield the visible letters of a page."""
    import ctypes

    import pypdfium2.raw as raw

    box = [ctypes.c_double() for _ in range(4)]
    for place in range(number):
        letter = chr(raw.FPDFText_GetUnicode(lines, place))
        if letter.isspace() or letter in "\0\ufffe":
            continue
        raw.FPDFText_GetCharBox(lines, place, *box)
        left, right, bottom, top = (value.value for value in box)
        size = raw.FPDFText_GetFontSize(lines, place) or 1.0
        yield _Letter(letter, (left + right) / 2, (bottom + top) / 2, size)


def _is_vertical(letters: list[_Letter]) -> bool:
    """Return whether most letters stand below the one before, not to the right of it."""
    down = right = 0
    for first, second in pairwise(letters):
        x, y = abs(second.x - first.x), first.y - second.y
        down += x < 0.5 * first.size and 0.3 * first.size < y < 2.5 * first.size
        right += abs(y) < 0.5 * first.size and 0.2 * first.size < x < 3 * first.size
    return down >= _FEWEST and down > 2 * right


def columns(letters: list[_Letter]) -> list[str]:
    """Return the columns of a page that is written downwards, from the right to the left."""
    usual = median(letter.size for letter in letters)
    columns: list[list[_Letter]] = []
    for letter in sorted(letters, key=lambda letter: -letter.x):
        if letter.size < _RUBY * usual:
            continue
        if not columns or columns[-1][0].x - letter.x > 0.8 * usual:
            columns.append([])
        columns[-1].append(letter)
    return [
        "".join(letter.text for letter in sorted(column, key=lambda letter: -letter.y))
        for column in columns
    ]
