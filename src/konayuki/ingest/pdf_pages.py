"""The text of PDF pages, for a process of its own: PDFium is C++ that reads what strangers wrote.

Standard input is the PDF; standard output one JSON object: `title` and `pages`, or `error`.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

MEMORY_BYTES = 2 << 30
MOST_CHARACTERS = 64_000_000
_SAMPLE = 400  # characters of a page that tell whether it is written downwards
_FEWEST = 8  # of them that must be of such a script
_RUBY = 0.65  # of the usual size: smaller letters between columns are readings
_TIER_GAP = 2.0  # times the usual size: what stays empty between two tiers of columns
_MOST_RUNS = 1_000  # of a page that is looked at for columns
_FEWEST_LINES = 3  # of a column
_NARROW = 0.62  # of the width of a page: a wider line spans both columns
_LONG_LINE = 12  # times its height: cells of tables are shorter


class Run(NamedTuple):
    """Where a part of a line stands."""

    left: float
    bottom: float
    right: float
    top: float


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
        runs = [Run(*lines.get_rect(n)) for n in range(min(lines.count_rects(), _MOST_RUNS + 1))]
        order = column_order(runs)
        text = _text_of(lines, runs, order) if order else lines.get_text_bounded()
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


def column_order(runs: list[Run]) -> list[int]:
    """Return the order in which to read a page of two columns that was drawn row by row.

    Empty if it is no such page. Tables are drawn so as well, and are to be read so: both sides must
    be full of long lines.
    """
    if not 2 * _FEWEST_LINES <= len(runs) <= _MOST_RUNS:
        return []
    width = max(run.right for run in runs) - min(run.left for run in runs)
    height = median(run.top - run.bottom for run in runs)
    narrow = {run for run in runs if run.right - run.left < _NARROW * width}
    split = _gutter(narrow, height)
    if split is None:
        return []
    sides = [None if run not in narrow else int((run.left + run.right) / 2 > split) for run in runs]
    known = [side for side in sides if side is not None]
    n_turns = sum(first != second for first, second in pairwise(known))
    n_lines = []
    for side in (0, 1):
        spans = _lines([run for run, own in zip(runs, sides, strict=True) if own == side], height)
        longest = max((right - left for left, right in spans), default=0.0)
        n_full = sum(right - left >= 0.8 * longest for left, right in spans)
        if longest < _LONG_LINE * height or n_full < max(_FEWEST_LINES, 0.6 * len(spans)):
            return []
        n_lines.append(len(spans))
    if n_turns < min(n_lines):
        return []
    spanning = [run for run, side in zip(runs, sides, strict=True) if side is None]

    def key(place: int) -> tuple[int, int]:
        side = sides[place]
        above = sum(other.bottom > runs[place].bottom for other in spanning)
        return above, 2 if side is None else side

    return sorted(range(len(runs)), key=key)


def _gutter(runs: Iterable[Run], height: float) -> float | None:
    """Return the middle of the only gap between runs from the left to the right; None without."""
    gaps = []
    right = float("-inf")
    for run in sorted(runs):
        if right != float("-inf") and run.left - right > 0.5 * height:
            gaps.append((run.left + right) / 2)
        right = max(right, run.right)
    return gaps[0] if len(gaps) == 1 else None


def _lines(runs: list[Run], height: float) -> list[tuple[float, float]]:
    """Return where the lines of a column start and end."""
    lines: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: -run.bottom):
        if lines and lines[-1][0].bottom - run.bottom < 0.5 * height:
            lines[-1].append(run)
        else:
            lines.append([run])
    return [(min(run.left for run in line), max(run.right for run in line)) for line in lines]


def _text_of(lines: Any, runs: list[Run], order: list[int]) -> str:  # noqa: ANN401
    """Return the text of runs in an order; those of one line stand on one line."""
    text = ""
    for before, place in zip([order[0], *order], order, strict=False):
        first, second = runs[before], runs[place]
        is_below = abs(first.bottom - second.bottom) > 0.5 * (second.top - second.bottom)
        text += "\n" * (is_below or second.left < first.left)
        text += str(lines.get_text_bounded(*second)).strip()
    return text


def columns(letters: list[_Letter]) -> list[str]:
    """Return the columns of a page that is written downwards, from the right, tier by tier."""
    usual = median(letter.size for letter in letters)
    tiers: list[list[_Letter]] = []
    for letter in sorted(letters, key=lambda letter: -letter.y):
        if not tiers or tiers[-1][-1].y - letter.y > _TIER_GAP * usual:
            tiers.append([])
        tiers[-1].append(letter)
    return [column for tier in tiers for column in _columns_of(tier, usual)]


def _columns_of(letters: list[_Letter], usual: float) -> list[str]:
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
