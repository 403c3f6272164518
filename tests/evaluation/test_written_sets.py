"""What is written is read again."""

from pathlib import Path

from konayuki.evaluation import Passage, RetrievalSet, read_sets
from konayuki.evaluation.datasets import write_set


def test_a_set_survives_writing(tmp_path: Path) -> None:
    one = RetrievalSet(
        "山と海",
        {"1": Passage("富士山は高い。\n山である", "富士山"), "2": Passage("海は広い\u2028塩辛い")},
        {"q1": "高い山は？", "q2": "「海」"},
        {"q1": {"1": 2}, "q2": {"2": 1, "1": 1}},
    )
    write_set(one, tmp_path / one.name)
    (found,) = read_sets(tmp_path)
    assert found == one
