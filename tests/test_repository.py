"""What is tracked: no links, one version, a description that a registry can show, named tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import konayuki

ROOT = Path(__file__).parents[1]


def tracked_modes() -> dict[str, str]:
    """Return the mode of every tracked file."""
    command = ["git", "-C", str(ROOT), "ls-files", "-s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    lines = (line.split(maxsplit=3) for line in done.stdout.splitlines())
    return {name: mode for mode, _, _, name in lines}


def test_no_tracked_file_is_a_link() -> None:
    # One pointed to itself and broke `--out runs/...` in every clone.
    assert [name for name, mode in tracked_modes().items() if mode == "120000"] == []


def test_there_is_one_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    project = (ROOT / "pyproject.toml").read_text("utf-8")

    assert f"\nversion: {konayuki.__version__}\n" in citation
    assert re.search(
        rf"^## \[{re.escape(konayuki.__version__)}\] - \d{{4}}-\d\d-\d\d$", changes, re.M
    )
    assert not re.search(r"^version *= *\"", project, re.M)  # it is read from the package


def test_the_package_description_has_no_relative_links() -> None:
    code = "import setup; print(setup.description())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    targets = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", done.stdout)
    assert targets
    assert [a or b for a, b in targets if not (a or b).startswith(("https://", "#"))] == []


TESTS = ROOT / "tests"
TEST_FILES = sorted(TESTS.rglob("test_*.py"))


def modules_tested_by(path: Path) -> list[Path]:
    """Return where the module or package could be that a test file is named after."""
    folder, name = path.parent.relative_to(TESTS), path.stem.removeprefix("test_")
    homes = [ROOT / "src" / "konayuki" / folder, ROOT / folder]  # the latter: benchmarks, tools
    files = [home / part for home in homes for part in (f"{name}.py", f"{name}/__init__.py")]
    return [*files, *(home / "__main__.py" for home in homes if home.name == name)]


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_a_test_is_named_after_a_module_or_says_what_it_shows(path: Path) -> None:
    if not any(module.exists() for module in modules_tested_by(path)):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert docstring, "no module has its name: expected a docstring that says what it shows"


def test_helpers_of_tests_are_modules_of_their_own() -> None:
    imports = re.compile(r"^\s*(from|import) .*\b(conftest|test_\w+)\b", re.M)
    offenders = {
        path.relative_to(TESTS).as_posix(): match[0]
        for path in TESTS.rglob("*.py")
        if (match := imports.search(path.read_text("utf-8")))
    }

    assert offenders == {}
