"""Tables as they are: Excel's CSVs, other names of columns, chats."""

import pytest

from konayuki.errors import FormatError
from konayuki.ingest import Columns
from konayuki.ingest.records import DEFAULT_COLUMNS, Remarks, records_of
from konayuki.search.prepared import unwrapped

BOOK = "氏名,電話番号,住所\n山田花子,090-1234-5678,東京都\n佐藤一,03-1111-2222,大阪府\n"
CHAT = (
    '{"user": "hana", "ts": "2024-04-01", "message": "引っ越しの日取りを来週までに決めよう。"}\n'
    '{"user": "ichi", "ts": "2024-04-02", "message": "はい。土曜日の午前中はどうでしょうか。"}\n'
)


def read(content: bytes, name: str = "a.csv", columns: Columns = DEFAULT_COLUMNS, guess: str = ""):
    remarks = Remarks()
    records = list(records_of(content, name, remarks=remarks, columns=columns))
    assert remarks.guess == guess
    return records


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excel_tables_are_read_however_they_were_saved(encoding: str, separator: str, end: str):
    lines = [["id", "text", "年"], ["1", '"富士山は\n高い、山"', "2024"], ["2", "琵琶湖", "2023"]]
    content = end.join(separator.join(cells) for cells in lines).encode(encoding)
    records = read(content)
    assert [(record["id"], record["text"]) for record in records] == [
        ("1", "富士山は\n高い、山"), ("2", "琵琶湖"),
    ]  # fmt: skip
    assert records[0]["metadata"]["年"] == "2024"


def test_a_table_of_short_cells_is_searched_by_all_of_them():
    guess = "no column 'text': read '氏名', '電話番号', '住所' as the text and '氏名' as the title"
    first, second = read(BOOK.encode(), guess=guess)
    assert first["text"] == "氏名: 山田花子\n\n電話番号: 090-1234-5678\n\n住所: 東京都"
    assert (second["title"], second["id"]) == ("佐藤一", "a.csv:3")
    assert second["metadata"]["住所"] == "大阪府"


def test_the_column_with_the_most_letters_is_the_text():
    guess = "no column 'text': read 'message' as the text"
    first, _ = read(CHAT.encode(), "chat.jsonl", guess=guess)
    assert first["text"].startswith("引っ越し")
    assert first["metadata"] == {
        "user": "hana", "ts": "2024-04-01", "path": "chat.jsonl", "line": 1, "keywords": ["chat"],
    }  # fmt: skip


def test_cells_do_not_run_into_each_other():
    (first, _) = read(BOOK.encode(), columns=Columns(("氏名", "住所")))
    assert "花子住所" not in unwrapped(first["text"])


def test_columns_can_be_named():
    columns = Columns(("住所", "電話番号"), id="氏名", title="氏名")
    with pytest.raises(FormatError, match="no column '住所': the columns are 'a', 'b'"):
        read(b"a,b\n1,2\n", columns=columns)
    (first, _) = read(BOOK.encode(), columns=columns)
    assert (first["id"], first["text"]) == ("山田花子", "住所: 東京都\n\n電話番号: 090-1234-5678")
    assert (first["title"], "氏名" in first["metadata"]) == ("山田花子", False)


def test_a_cell_may_be_as_long_as_the_file():
    (record,) = read(b"id,text\n1," + "山".encode() * 200_000)[:1]
    assert len(record["text"]) <= 400
