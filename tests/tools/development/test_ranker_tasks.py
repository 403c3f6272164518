"""The tasks that the second look is learned from, cut by the script as a person runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("torch")

import pyarrow as arrow
import pyarrow.parquet as parquet

from konayuki.evaluation import RetrievalSet, read_sets

ROOT = Path(__file__).resolve().parents[3]
RECIPE = """
[model]
dims = [8]
[training]
steps = 1
batch_size = 2
[[sources]]
files = "*.parquet"
[[development]]
source = "seen-source"
held_out = 4
queries = 3
corpus = 10
"""
TASKS = """
[[tasks]]
name = "unseen-task"
kind = "test"
file = "unseen-source"
ranker = "weights"
[[seen]]
source = "seen-source"
ranker = "relevance"
"""


@pytest.mark.slow
def test_both_kinds_of_tasks_are_cut_and_the_command_is_printed(tmp_path: Path) -> None:
    data, development = tmp_path / "pairs", tmp_path / "dev"
    data.mkdir()
    for name in ("seen-source", "unseen-source"):
        numbers = range(20)
        columns = {
            "query": [f"{name}の質問{n}" for n in numbers],
            "positive": [f"{name}の答えは{n}番の文章である。" for n in numbers],
        }
        parquet.write_table(arrow.table(columns), data / f"{name}.parquet")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "tasks.toml").write_text(TASKS, encoding="utf-8")
    (development / "tasks/unseen-task").mkdir(parents=True)
    command = [sys.executable, str(ROOT / "tools/development/ranker_tasks.py")]
    command += ["--development", str(development), "--recipe", str(tmp_path / "recipe.toml")]
    command += ["--data", str(data), "--tasks", str(tmp_path / "tasks.toml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert (development / "ranker/unseen/unseen-task").is_symlink()
    (cut,) = read_sets(str(development / "ranker/seen"))
    assert isinstance(cut, RetrievalSet)
    assert (len(cut.queries), len(cut.corpus)) == (3, 10)
    for query_id, gains in cut.qrels.items():
        number = json.loads(cut.queries[query_id].rpartition("質問")[2])
        assert [f"{number}番" in cut.corpus[passage].text for passage in gains] == [True]
    last = done.stdout.splitlines()[-1]
    assert last.startswith("konayuki train-ranker --fold UNSEEN")
    assert "--calibrate seen-source" in last
