"""The script that evaluates on mteb's tasks, over a local set: results in the public layout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mteb")

import mteb

from evaluation.layouts import CORPUS, QRELS, QUERIES

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_results_have_the_layout_of_the_public_repository(tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "lakes"
    folder.mkdir(parents=True)
    for name, table in (("corpus", CORPUS), ("queries", QUERIES), ("qrels", QRELS)):
        lines = "".join(json.dumps(row) + "\n" for row in table)
        (folder / f"{name}.jsonl").write_text(lines, "utf-8")
    script = ROOT / "benchmarks" / "mteb_japanese.py"
    command = [sys.executable, str(script), "--sets", str(folder.parent), "--out", str(tmp_path)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    files = sorted((tmp_path / "results").glob("*/*/LocalLakes.json"))
    assert [file.parts[-3] for file in files] == [
        "konayuki__bm25-japanese", "konayuki__konayuki", "konayuki__konayuki-hybrid",
    ]  # fmt: skip
    for file in files:
        result = mteb.TaskResult.from_disk(file)
        assert result.task_name == "LocalLakes"
        assert 0 < result.get_score() <= 1
        meta = json.loads((file.parent / "model_meta.json").read_text("utf-8"))
        assert meta["name"].replace("/", "__") == file.parts[-3]
