"""Public is what a room exports: the pages import nothing else, and every exported name exists."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = ("model", "search", "ingest", "evaluation", "scale", "site", "integrations")
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXTRAS = {
    "duckdb",
    "haystack",
    "langchain",
    "llama_index",
    "mteb",
    "sklearn",
}  # modules that need a package


class Import(NamedTuple):
    """A name that a page imports from this package."""

    page: str
    module: str
    name: str


def exported(module: str) -> list[str]:
    """Return `__all__` as the source of a package has it: nothing is imported."""
    tree = ast.parse((ROOT / "src" / Path(*module.split(".")) / "__init__.py").read_text("utf-8"))
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    names: list[str] = ast.literal_eval(values[0])
    return names


def imports_of_pages() -> Iterator[Import]:
    for page in PAGES:
        for block in FENCE.findall(page.read_text("utf-8")):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("konayuki"):
                    for alias in node.names:
                        yield Import(page.name, node.module or "", alias.name)
                elif isinstance(node, ast.Import):
                    for alias in node.names:
                        if alias.name.startswith("konayuki."):
                            yield Import(page.name, *alias.name.rsplit(".", 1))


def is_public(module: str, name: str) -> bool:
    """Return whether a name is exported by the package, a room, or a module that a room exports."""
    if module == "konayuki":
        return name in exported(module)
    room, _, inner = module.removeprefix("konayuki.").partition(".")
    if room not in ROOMS:
        return module == "konayuki.errors"
    return inner in exported(f"konayuki.{room}") if inner else name in exported(module)


@pytest.mark.parametrize("found", sorted(set(imports_of_pages())), ids=str)
def test_pages_import_only_what_rooms_export(found: Import) -> None:
    assert is_public(found.module, found.name)


def test_an_inner_module_is_not_public() -> None:
    assert not is_public("konayuki.scale.qdrant", "QdrantSearch")
    assert is_public("konayuki.integrations.langchain", "KonayukiRetriever")


@pytest.mark.parametrize("room", ROOMS)
def test_every_exported_name_exists(room: str) -> None:
    module = import_module(f"konayuki.{room}")
    names = exported(module.__name__)

    assert names == sorted(names, key=lambda name: (not name[0].isupper(), name))
    assert set(names) <= set(dir(module))
    for name in names:
        if name not in EXTRAS:
            assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        module.no_such_name  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("room", ["scale", "integrations"])
def test_a_room_of_extras_imports_nothing_until_a_name_is_used(room: str) -> None:
    code = f"import sys\nimport konayuki.{room}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pyarrow", "pydantic", "tantivy"}
    assert not {name for name in loaded if name.startswith(f"konayuki.{room}.")}


def test_the_pages_name_commands_that_install_from_a_clone() -> None:
    pattern = re.compile(r"pip install[^`\n]*'konayuki\[")
    lines = [
        f"{page.name}: {line}"
        for page in PAGES
        for line in page.read_text("utf-8").splitlines()
        if pattern.search(line) and "'.[" not in line
    ]
    assert not lines, "the package is not published: say pip install '.[…]'"
