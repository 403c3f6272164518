"""The table of spellings, made from a small dictionary and a few texts."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow as arrow
import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / "tools/spelling"


def entry(
    number: int, kanji: list[str], kana: list[str], *, marks: str = "", pos: str = "n"
) -> str:
    forms = "".join(f"<k_ele><keb>{form}</keb><ke_pri>ichi1</ke_pri></k_ele>" for form in kanji)
    readings = "".join(f"<r_ele><reb>{form}</reb><re_pri>ichi1</re_pri></r_ele>" for form in kana)
    misc = f"<misc>&{marks};</misc>" if marks else ""
    sense = f"<sense><pos>&{pos};</pos>{misc}</sense>"
    return f"<entry><ent_seq>{number}</ent_seq>{forms}{readings}{sense}</entry>"


ENTRIES = [
    entry(1, ["東京"], ["とうきょう"]),
    entry(2, ["引っ越し", "引越し"], ["ひっこし"]),
    entry(3, ["公園"], ["こうえん"]),
    entry(4, ["講演"], ["こうえん"]),
    entry(5, ["真坂"], ["まさか"]),
    entry(6, ["教える"], ["おしえる"], pos="v1"),
    entry(7, ["林檎"], ["りんご"], marks="uk"),
    entry(8, [], ["サーバー", "サーバ"]),
]
TEXTS = [
    "東京へ引っ越しをする", "引越し", "引っ越しの日", "公園と公園と公園で講演",
    "サーバーとサーバー", "サーバ", "真坂", "道を教える人", "りんごと林檎、りんご",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("readings")
    with gzip.open(folder / "jmdict.xml.gz", "wt", encoding="utf-8") as file:
        file.write(f"<JMdict>{''.join(ENTRIES)}</JMdict>")
    (folder / "pairs").mkdir()
    texts = TEXTS * 8 + ["まさか、そんな。まさかと思う。"] * 100
    columns = {"query": texts, "positive": texts}
    parquet.write_table(arrow.table(columns), folder / "pairs/some.parquet")
    command = [
        sys.executable,
        str(TOOLS / "readings.py"),
        "--jmdict",
        str(folder / "jmdict.xml.gz"),
    ]
    command += ["--texts", str(folder / "pairs"), "--out", str(folder / "words.txt")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    words = {}
    for line in (folder / "words.txt").read_text(encoding="utf-8").splitlines():
        start, *rest = line.split(" ")
        words |= {start + word.partition("=")[0]: word.partition("=")[2] for word in rest}
    return words


def test_a_reading_names_the_usual_spellings_most_frequent_first(table: dict[str, str]) -> None:
    assert table["とうきょう"] == "東京"
    assert table["ひっこし"] == "引っ越し/引越し"
    assert table["引越し"] == "引っ越し/引越し"
    assert table["さーばー"] == "サーバー/サーバ"


def test_a_reading_of_two_words_says_how_often_each_is_meant(table: dict[str, str]) -> None:
    first, second = table["こうえん"].split("/")
    assert (first[:-1], second[:-1]) == ("公園", "講演")
    assert int(first[-1]) > int(second[-1])


def test_kana_that_mostly_mean_something_else_are_left_out(table: dict[str, str]) -> None:
    assert "まさか" not in table


def test_stems_and_words_that_are_written_in_kana(table: dict[str, str]) -> None:
    assert table["おしえる"] == "教える"
    assert table["おしえ"] == "教え"
    assert table["林檎"].startswith("りんご")
    assert "りんご" not in table


def test_the_table_in_the_package_is_of_this_form() -> None:
    path = ROOT / "src/konayuki/search/words.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len({line.partition(" ")[0] for line in lines}) == len(lines)
    assert all("=" in word for line in lines for word in line.split(" ")[1:])
    assert path.stat().st_size < 1_300_000
