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
    "scale": BASE | {"model", "search", "evaluation"},
    "integrations": BASE | {"model", "search", "evaluation"},
}
MOST_LINES = 500
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


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source)))
    assert len(source.splitlines()) - sum(map(example_lines, nodes)) <= MOST_LINES
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n_lines = (node.end_lineno or 0) - node.lineno - example_lines(node)
            assert n_lines < MOST_FUNCTION_LINES, node.name


def example_lines(node: ast.AST) -> int:
    """Return the number of lines of the example in a docstring, which nobody reads as code."""
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return 0
    _, _, examples = (ast.get_docstring(node) or "").partition("\nExamples:\n")
    return len(examples.splitlines()) + 2 if examples else 0


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
