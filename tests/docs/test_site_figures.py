import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_figures_of_the_site_page_are_those_of_the_result_file() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "site_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
