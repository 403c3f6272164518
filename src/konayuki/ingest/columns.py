"""Which columns of a table are the text, the id and the title of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from konayuki.errors import DatasetError
from konayuki.rows import Row

SAMPLE_ROWS = 200  # from which columns are guessed
_PROSE_LETTERS = 15  # in a cell on average: fewer are a name, a place, a code
_TITLES = (
    "title", "タイトル", "件名", "題名", "表題", "見出し", "名前", "氏名", "名称",
    "subject", "name",
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    r"""The columns that tables and JSON Lines have.

    Attributes:
        text: The columns of the text; several are joined, each line with the name of its column.
            Empty: the column "text", or a guess if a table has none.
        id: The column of the id; "": "id", or "_id", as BEIR calls it.
        title: The column of the title; "": "title".

    Examples:
        >>> from konayuki.ingest import read_records
        >>> table = "番号,質問,回答\n7,営業時間は？,9時から\n"
        >>> _ = Path("faq.csv").write_text(table, encoding="utf-8")
        >>> columns = Columns(text=("質問", "回答"), id="番号")
        >>> record = next(read_records(Path("faq.csv"), columns=columns))
        >>> record["id"], record["text"]
        ('7', '質問: 営業時間は？\n\n回答: 9時から')
    """

    text: tuple[str, ...] = ()
    id: str = ""
    title: str = ""

    def of(self, row: Row) -> dict[str, Any]:
        """Return the values of a row under the names that a record has.

        Raises:
            DatasetError: The row lacks a column.
        """
        values = dict(row.values)
        if self.text:
            values["text"] = self._text(row)
            if len(self.text) == 1 and self.text[0] != "text":
                del values[self.text[0]]
        else:
            row.text("text")
        named = [
            (name, column) for name, column in (("id", self.id), ("title", self.title)) if column
        ]
        values.update({name: row.value(column) for name, column in named})
        for _, column in named:  # only now: one column may be both
            if column not in ("id", "title", "text"):
                values.pop(column, None)
        if "_id" in values and "id" not in values:
            values["id"] = values.pop("_id")
        if self.title:
            values["title"] = "" if values["title"] is None else str(values["title"])
        return values

    def _text(self, row: Row) -> str:
        if len(self.text) == 1:
            return row.text(self.text[0])
        cells = ((column, row.value(column)) for column in self.text)
        # A single line break between kana or kanji would run one cell into the name of the next.
        return "\n\n".join(f"{column}: {cell}" for column, cell in cells if cell not in (None, ""))


def guessed(rows: Sequence[Row], columns: Columns) -> Columns:
    """Return columns for rows without a column "text": those with the most text.

    The column with the most letters is the text, and the others are metadata. If no column has
    more than a few words in a cell, as in an address book, all of them together are the text.

    Raises:
        DatasetError: There is no column with text.
    """
    if columns.text or not rows or any("text" in row.values for row in rows):
        return columns
    sample = rows[:SAMPLE_ROWS]
    names = [name for name in dict.fromkeys(name for row in sample for name in row.values) if name]
    lengths = {name: _mean_letters(sample, name) for name in names}
    if not lengths or not max(lengths.values()):
        raise DatasetError(f"{rows[0].file}: no column with text: expected one called 'text'")
    title = columns.title or next((name for name in _TITLES if name in lengths), "")
    longest = max(lengths, key=lambda name: lengths[name])
    if lengths[longest] >= _PROSE_LETTERS:
        return Columns((longest,), columns.id, "" if title == longest else title)
    return Columns(tuple(name for name in names if name != columns.id), columns.id, title)


def _mean_letters(rows: Sequence[Row], column: str) -> float:
    """Return the mean number of letters in the cells of a column."""
    cells = [row.values.get(column) for row in rows]
    texts = [cell for cell in cells if isinstance(cell, str)]
    return sum(sum(map(str.isalpha, cell[:1000])) for cell in texts) / len(rows)


def described(columns: Columns) -> str:
    """Return in words which columns were guessed."""
    text = ", ".join(map(repr, columns.text))
    title = f" and {columns.title!r} as the title" if columns.title else ""
    return f"no column 'text': read {text} as the text{title}"
