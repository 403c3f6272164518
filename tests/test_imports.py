"""What importing costs, and which room may import which."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import konayuki

PACKAGE = Path(__file__).parents[1] / "src" / "konayuki"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "tokenizers",
    "datasets",
    "huggingface_hub",
    "fastapi",
    "pyarrow",
}
FLOOR = {"choices", "errors", "extras", "progress", "text", "files", "rows", "arrays"}
BASE = FLOOR | {"__version__"}
ALLOWED = {
    **{module: {"errors", "extras"} for module in FLOOR},
    "model": BASE,
    "search": BASE | {"model"},
    "ingest": BASE | {"model", "search"},
    "evaluation": BASE | {"model", "search"},
    "training": BASE | {"model", "search", "evaluation"},
    "serving": BASE | {"model", "search", "ingest", "evaluation"},
    "site": BASE | {"model", "search", "ingest"},
    "scale": BASE | {"model", "search", "evaluation"},
    "integrations": BASE | {"model", "search", "evaluation"},
}
# Without docstrings: an example that runs makes no file harder to follow.
MOST_LINES = 420
MOST_FUNCTION_LINES = 60


def names(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """Yield the rooms of this package that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            modules = [f"{module}.{alias.name}" for alias in node.names]
            modules = modules if module == "konayuki" else [module]
        else:
            continue
        for parts in (module.split(".") for module in modules):
            if parts[0] == "konayuki" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_rooms_import_downwards_only(path: Path) -> None:
    room = room_of(path)
    if room in {"cli", "__init__"} or path.stem == "__main__":
        return  # the command line stands above all rooms, the root only names them
    assert set(imported_rooms(path)) <= ALLOWED[room] | {room}


def lines_of_docstrings(tree: ast.AST) -> set[int]:
    """Return the numbers of the lines that docstrings take."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    prose = lines_of_docstrings(tree)
    assert len(source.splitlines()) - len(prose) <= MOST_LINES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = set(range(node.lineno, (node.end_lineno or 0) + 1))
            assert len(lines - prose) < MOST_FUNCTION_LINES, node.name


@pytest.mark.parametrize(
    "statement", ["import konayuki", "import konayuki; konayuki.StaticModel", "import konayuki.cli"]
)
def test_importing_leaves_heavy_packages_alone(statement: str) -> None:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "konayuki" in loaded
    assert not loaded & HEAVY


def test_the_package_lists_what_it_imports_when_it_is_first_used() -> None:
    assert {*konayuki.__all__} <= {*dir(konayuki)}
