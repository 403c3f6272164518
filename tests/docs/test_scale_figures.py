"""The figures of the page on large corpora are those of the result files."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_figures_of_the_scale_page_are_those_of_the_result_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "scale_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
