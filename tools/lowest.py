"""Print pip constraints with the lowest version of every dependency that pyproject.toml allows.

Run `python tools/lowest.py > constraints.txt`, then
`pip install -e ".[hub]" -c constraints.txt`.

Packages used only by the tests keep their newest versions.
"""

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9_.-]+)(?:\[[^]]*\])?>=([0-9.]+)(?:\s*;\s*(.+))?$")


def lowest(requirements: list[str]) -> list[str]:
    """Return `name==version` for each requirement with a lower bound, keeping its marker."""
    constraints = []
    for requirement in requirements:
        if match := REQUIREMENT.match(requirement):
            name, version, marker = match.groups()
            constraints.append(f"{name}=={version}" + (f" ; {marker}" if marker else ""))
    return constraints


def requirements(text: str) -> list[str]:
    """Return the base dependencies and those of the extra `hub`."""
    # Not tomllib: Python 3.10, whose lowest versions matter most, has none.
    base = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.M | re.S)
    hub = re.search(r"^hub = \[(.*?)\]", text, re.M | re.S)
    if base is None or hub is None:
        raise SystemExit(f"{PROJECT}: expected the tables of dependencies")
    return re.findall(r'"([^"]+)"', base[1] + hub[1])


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(requirements(PROJECT.read_text("utf-8")))) + "\n")
