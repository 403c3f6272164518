"""The readmes name every package that the base installation brings."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# By hand: Python 3.10 has no TOML reader.
LISTED = re.search(
    r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.M | re.S
)


@pytest.mark.parametrize(
    ("page", "row"), [("README.md", "| **Runtime** |"), ("README.ja.md", "| **実行環境** |")]
)
def test_a_readme_names_every_dependency(page: str, row: str) -> None:
    assert LISTED is not None
    names = re.findall(r'^\s*"([\w-]+)', LISTED[1], re.M)
    lines = (ROOT / page).read_text("utf-8").splitlines()
    (runtime,) = [line for line in lines if line.startswith(row)]

    assert names
    assert [name for name in names if name not in runtime] == []
