"""The fuzzing that `make sanitize` runs, a little of it: the tool must fit what it drives."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_run_finds_no_difference(tmp_path: Path) -> None:
    out = tmp_path / "fuzz.json"
    command = [sys.executable, ROOT / "tools/fuzz.py", "--texts", "200", "--models", "10"]
    done = subprocess.run([*command, "--json", out], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (result,) = json.loads(out.read_text("utf-8"))
    assert result["texts"]["texts"] == 200
    assert result["texts"]["late_scored"] > 0
    assert result["models"]["loaded"] + result["models"]["refused"] == 10
