from pathlib import Path

import pytest

from konayuki.errors import DatasetError, NotFoundError

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra train")
from pyarrow import parquet  # noqa: E402

from make_queries.files import held_out_queries, main, synthesize_file  # noqa: E402

PASSAGE = (
    "敬称とは、相手への敬意を示す呼称。1892年に児島が大審院長を辞職した。"
    "湖の北側の岸辺には古い寺の跡が残っている。館内の蔵書は約3万冊である。"
)


def write(path: Path, **columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write(tmp_path / "pairs" / "one.parquet", query=["敬称", "敬語"], positive=[PASSAGE, PASSAGE])
    return tmp_path / "pairs"


def test_files_have_the_columns_of_pairs_and_one_passage_once(pairs: Path, tmp_path: Path) -> None:
    counts = synthesize_file(pairs, tmp_path, "one")
    questions = parquet.read_table(tmp_path / "synth-questions-one.parquet")
    cloze = parquet.read_table(tmp_path / "synth-cloze-one.parquet")

    assert questions.column_names == cloze.column_names == ["query", "positive"]
    assert counts["cloze"] == cloze.num_rows == 1
    assert questions.num_rows == sum(counts.values()) - 1 == 3
    assert set(questions["positive"].to_pylist()) == {PASSAGE}


def test_a_query_that_two_passages_give_is_dropped(tmp_path: Path) -> None:
    other = PASSAGE.replace("敬称", "謙譲語").replace("湖の北側", "湖の南側")
    write(tmp_path / "two.parquet", query=["a", "b"], positive=[PASSAGE, other])
    synthesize_file(tmp_path, tmp_path, "two", rules=("meaning", "how-many"))
    found = parquet.read_table(tmp_path / "synth-questions-two.parquet")

    assert found.to_pylist() == [
        {"query": "敬称とは何ですか", "positive": PASSAGE},
        {"query": "謙譲語とは何ですか", "positive": other},
    ]


def test_held_out_queries_are_dropped_however_they_are_written(pairs: Path, tmp_path: Path) -> None:
    write(tmp_path / "eval" / "set" / "queries.parquet", _id=["1"], text=["敬称とは　何ですか "])
    out = tmp_path / "out"
    main([str(pairs), str(out), "one:meaning,how-many", "--held-out", str(tmp_path / "eval")])
    written = parquet.read_table(out / "synth-questions-one.parquet")["query"].to_pylist()

    assert held_out_queries([tmp_path / "eval"]) == {"敬称とは何ですか"}
    assert written == ["館内の蔵書は何冊ですか"]
    assert not (out / "synth-cloze-one.parquet").exists()


def test_a_file_that_is_not_there_or_holds_no_pairs_is_named(tmp_path: Path) -> None:
    write(tmp_path / "odd.parquet", text=["a"])
    with pytest.raises(NotFoundError, match=r"absent\.parquet"):
        synthesize_file(tmp_path, tmp_path, "absent")
    with pytest.raises(DatasetError, match="no column positive, query"):
        synthesize_file(tmp_path, tmp_path, "odd")
