"""Word, PowerPoint and Excel files: archives of XML, read with the standard library."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from xml.etree import ElementTree

from konayuki.ingest.archive import Archive
from konayuki.ingest.outline import Item, Outline, Part, Section, outline, shortened

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_HEADING = re.compile(r"(?:heading|見出し) ?([1-9])", re.IGNORECASE)
# Numbers of formats that Excel shows as dates, Japanese ones included.
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_DATE_LETTERS = re.compile(r"[ymdhg]", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')


def read_docx(content: bytes, name: str) -> list[Item]:
    """Return the one document of a Word file."""
    archive = Archive(content, name, "an Office file")
    styles = _heading_styles(archive)
    body = _Word(styles)
    parts = body.parts(archive, "word/document.xml")
    for notes in ("word/footnotes.xml", "word/endnotes.xml"):
        if notes in archive:
            parts += [
                (level or 6, heading, text)
                for level, heading, text in _Word(styles).parts(archive, notes)
            ]
    return [outline(parts, archive.title(), readings=body.readings)]


def read_pptx(content: bytes, name: str) -> list[Item]:
    """Return the one document of a PowerPoint file; every slide is a section."""
    archive = Archive(content, name, "an Office file")
    related = archive.related("ppt/presentation.xml")
    sections = []
    slides = [node.get(_RELATION, "") for node in archive.nodes("ppt/presentation.xml", "sldId")]
    for number, slide in enumerate((related[key] for key in slides if key in related), start=1):
        title, text = _slide(archive, slide)
        for part in archive.related(slide).values():
            if "/notesSlides/" in part and part in archive:
                text += f"\n\n{_slide(archive, part)[1]}"
        heading = shortened(f"{number}. {title}".rstrip(". ") if title else f"{number}")
        sections.append(Section((heading,), f"{title}\n{text}".strip(), {"slide": number}))
    return [Outline(shortened(archive.title()), tuple(sections))]


def read_xlsx(content: bytes, name: str) -> list[Item]:
    """Return the one document of an Excel file; every row is a section under its sheet."""
    archive = Archive(content, name, "an Office file")
    related = archive.related("xl/workbook.xml")
    strings, readings = _shared_strings(archive)
    dates = _date_styles(archive)
    sections: list[Section] = []
    for sheet in archive.nodes("xl/workbook.xml", "sheet"):
        part = related.get(sheet.get(_RELATION, ""), "")
        if part in archive:
            rows = _sheet_rows(archive, part, strings, dates)
            sections += _row_sections(shortened(sheet.get("name", "")), rows)
    return [Outline(shortened(archive.title()), tuple(sections), readings=tuple(readings.items()))]


def _value(node: ElementTree.Element, name: str = "val") -> str:
    """Return an attribute whatever its name space."""
    return next((value for key, value in node.items() if key.rpartition("}")[2] == name), "")


def _heading_styles(archive: Archive) -> dict[str, int]:
    """Return the levels of the styles of headings, by the id of the style."""
    if "word/styles.xml" not in archive:
        return {}
    levels = {"Title": 1}
    for style in archive.nodes("word/styles.xml", "style"):
        name = next((_value(node) for node in style if node.tag == "name"), "")
        if heading := _HEADING.fullmatch(name):
            levels[_value(style, "styleId")] = int(heading[1]) + 1
        elif name == "Title":
            levels[_value(style, "styleId")] = 1
    return levels


class _Word:
    """The paragraphs of a Word document."""

    def __init__(self, styles: dict[str, int]) -> None:
        self._styles = styles
        self._parts: list[Part] = []
        self._level, self._heading = 0, ""
        self._lines: list[str] = []
        self._paragraphs: list[list[str]] = []  # open ones: a text box lies inside a paragraph
        self._style = 0
        self._rows: list[list[str]] = []  # of open tables
        self._n_skipped = 0
        self._ruby: tuple[list[str], list[str]] = [], []  # a word, and how it is read
        self.readings: dict[tuple[str, str], None] = {}

    def parts(self, archive: Archive, part: str) -> list[Part]:
        """Return (level, heading, text) of a part of the file."""
        for event, node in archive.events(part):
            if node.tag in ("rt", "Fallback"):  # readings; what another element says once more
                self._n_skipped += 1 if event == "start" else -1
            elif self._n_skipped:
                if event == "end" and node.tag == "t":
                    self._ruby[1].append(node.text or "")
            else:
                self._start(node.tag) if event == "start" else self._end(node)
        self._flush()
        return self._parts

    def _start(self, tag: str) -> None:
        if tag == "p":
            self._paragraphs.append([])
            self._style = 0
        elif tag == "tr":
            self._rows.append([])
        elif tag == "ruby":
            self._ruby = [], []

    def _end(self, node: ElementTree.Element) -> None:
        if node.tag == "p" and self._paragraphs:
            self._paragraph("".join(self._paragraphs.pop()))
        elif node.tag == "tr" and self._rows:
            row = " | ".join(filter(None, self._rows.pop()))
            self._rows[-1].append(row) if self._rows else self._lines.append(row)
        elif node.tag == "pStyle":
            self._style = self._styles.get(_value(node), 0)
        elif node.tag == "ruby":
            word, reading = map("".join, self._ruby)
            self.readings[word, reading] = None
        elif self._paragraphs and node.tag == "t":
            self._paragraphs[-1].append(node.text or "")
            self._ruby[0].append(node.text or "")
        elif self._paragraphs and node.tag in ("tab", "br", "cr"):
            self._paragraphs[-1].append("\t" if node.tag == "tab" else "\n")

    def _paragraph(self, text: str) -> None:
        if self._rows:
            self._rows[-1].append(text.strip())
        elif self._style and text.strip():
            self._flush()
            self._level, self._heading = self._style, " ".join(text.split())
        else:
            self._lines.append(text)
        self._style = 0

    def _flush(self) -> None:
        self._parts.append(
            (self._level, self._heading, "\n\n".join(filter(str.strip, self._lines)))
        )
        self._lines = []


def _slide(archive: Archive, part: str) -> tuple[str, str]:
    """Return the title of a slide and the rest of its text."""
    title: list[str] = []
    text: list[str] = []
    paragraph: list[str] = []
    kind = ""
    for event, node in archive.events(part):
        if event == "start" and node.tag == "sp":
            kind = ""
        elif event == "end" and node.tag == "ph":
            kind = node.get("type", "body")
        elif event == "end" and node.tag == "t":
            paragraph.append(node.text or "")
        elif event == "end" and node.tag == "p":
            line = "".join(paragraph).strip()
            if line and kind not in ("sldNum", "dt", "ftr", "hdr"):
                (title if kind in ("title", "ctrTitle") else text).append(line)
            paragraph = []
    return " ".join(title), "\n".join(text)


def _shared_strings(archive: Archive) -> tuple[list[str], dict[str, str]]:
    """Return the strings of all sheets, and how those with kanji were typed."""
    strings: list[str] = []
    readings: dict[str, str] = {}
    words: list[str] = []
    reading: list[str] = []
    n_skipped = 0
    if "xl/sharedStrings.xml" in archive:
        for event, node in archive.events("xl/sharedStrings.xml"):
            if node.tag == "rPh":  # the reading of kanji
                n_skipped += 1 if event == "start" else -1
            elif event == "end" and node.tag == "t":
                (reading if n_skipped else words).append(node.text or "")
            elif event == "end" and node.tag == "si":
                strings.append("".join(words))
                if reading:
                    readings[strings[-1].strip()] = "".join(reading)
                words, reading = [], []
    return strings, readings


def _date_styles(archive: Archive) -> set[str]:
    """Return the numbers of the styles of cells that show dates."""
    if "xl/styles.xml" not in archive:
        return set()
    formats = set(_DATE_FORMATS)
    styles: list[int] = []
    in_cells = False
    for event, node in archive.events("xl/styles.xml"):
        if node.tag == "cellXfs":
            in_cells = event == "start"
        elif event == "end" and node.tag == "numFmt":
            if _DATE_LETTERS.search(_QUOTED.sub("", node.get("formatCode", ""))):
                formats.add(_whole(node.get("numFmtId", ""), -1))
        elif event == "end" and node.tag == "xf" and in_cells:
            styles.append(_whole(node.get("numFmtId", ""), 0))
    return {str(number) for number, style in enumerate(styles) if style in formats}


def _sheet_rows(
    archive: Archive, part: str, strings: list[str], dates: set[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row and its cells by the letters of their column."""
    cells: dict[str, str] = {}
    words: list[str] = []
    number = 0
    for event, node in archive.events(part):
        if event == "start":
            continue
        if node.tag in ("v", "t"):
            words.append(node.text or "")
        elif node.tag == "c":
            column = node.get("r", str(len(cells))).rstrip("0123456789")
            if value := _cell("".join(words), node, strings, dates):
                cells[column] = value
                if node.get("t") == "s":
                    archive.spend(len(value), part)  # one long string can be in all cells
            words = []
        elif node.tag == "row":
            number = _whole(node.get("r", ""), number + 1)
            if cells:
                yield number, cells
            cells = {}


def _whole(text: str, default: int) -> int:
    """Return a number of a few digits, or the default for anything else."""
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else default


def _cell(value: str, node: ElementTree.Element, strings: list[str], dates: set[str]) -> str:
    kind = node.get("t", "n")
    try:
        if kind == "s":
            return strings[int(value)].strip() if value else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        if kind == "n" and value and node.get("s") in dates:
            return _date(float(value))
        if kind == "n" and value:
            return f"{float(value):.15g}"
    except (ValueError, IndexError, OverflowError):
        pass  # shown as it is stored
    return value.strip()


def _date(days: float) -> str:
    moment = datetime(1899, 12, 30) + timedelta(days=days)
    moment += timedelta(microseconds=500_000)
    if days < 1:
        return f"{moment:%H:%M}"
    return f"{moment:%Y-%m-%d}" if days == int(days) else f"{moment:%Y-%m-%d %H:%M}"


def _row_sections(sheet: str, rows: Iterator[tuple[int, dict[str, str]]]) -> Iterator[Section]:
    """Yield a section for each row; cells are named if the first row holds names."""
    header: dict[str, str] = {}
    whole: dict[str, str] = {}
    for position, (number, cells) in enumerate(rows):
        if position == 0 and len(cells) > 1 and not any(map(_is_number, cells.values())):
            header = {column: shortened(cell) for column, cell in cells.items()}
            whole = cells
            continue
        lines = [
            f"{header[column]}: {cell}" if column in header else cell
            for column, cell in cells.items()
        ]
        yield Section((sheet,), "\n".join(lines), {"sheet": sheet, "row": number})
    if header and not position:
        yield Section((sheet,), "\n".join(whole.values()), {"sheet": sheet, "row": 1})


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "").isdigit()
