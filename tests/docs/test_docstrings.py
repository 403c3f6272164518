"""Every public function, class and method has an example in its docstring, and each example runs.

Docstrings are found in the source, not in imported modules: most rooms need extras.
"""

import ast
import doctest
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from konayuki import Index

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
API_PAGE = ROOT / "docs/reference/api.md"
ROOMS = ("model", "search", "ingest", "evaluation", "scale", "integrations", "serving")
# With the reason.
NOT_SHOWN = {
    "konayuki.serving.service.serve": "serves until a signal",
    "konayuki.ingest.columns.Columns.of": "takes a type that no room exports",
    "konayuki.ingest.summary.Summary.take": "takes a type that no room exports",
    "konayuki.scale.embedding.EmbedReport.add": "takes a type that no room exports",
}
NEEDS = {
    "konayuki.integrations.hub_push": "huggingface_hub",
    "konayuki.scale.embedding": "pyarrow",
    "konayuki.scale.qdrant": "qdrant_client",
    "konayuki.scale.qdrant_search": "qdrant_client",
    "konayuki.scale.spark": "pyspark",
    "konayuki.serving.agent": "mcp",
    "konayuki.serving.app": "starlette",
    "konayuki.serving.engine": "starlette",
}
# Seconds to import, or processes to start.
SLOW = {"konayuki.scale.embedding", "konayuki.scale.spark", "konayuki.serving.agent"} | {
    module for module, package in NEEDS.items() if package == "qdrant_client"
}


class Public(NamedTuple):
    """A function, class or method that a room exports."""

    module: str
    name: str  # of a method with its class: "Index.add"
    docstring: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def exports(room: str) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of everything that a room exports from its own modules."""
    tree = ast.parse((SOURCE / "konayuki" / room / "__init__.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"konayuki.{room}."):
            for alias in node.names:
                yield node.module or "", alias.name


def is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base) == "Protocol" for base in node.bases)


def public_in(module: str, name: str) -> Iterator[Public]:
    """Yield an exported function, or an exported class and its public methods."""
    tree = ast.parse((SOURCE / Path(*module.split("."))).with_suffix(".py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            yield Public(module, name, ast.get_docstring(node) or "")
        elif isinstance(node, ast.ClassDef) and node.name == name and not is_protocol(node):
            yield Public(module, name, ast.get_docstring(node) or "")
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    decorators = set(map(ast.unparse, method.decorator_list))
                    if not decorators & {"property", "cached_property", "overload"}:
                        docstring = ast.get_docstring(method) or ""
                        yield Public(module, f"{name}.{method.name}", docstring)


PUBLIC = [
    public
    for module, name in sorted({export for room in ROOMS for export in exports(room)})
    for public in public_in(module, name)
    if str(public) not in NOT_SHOWN
]


def cases() -> Iterator[object]:
    for public in PUBLIC:
        slow = public.module in SLOW
        yield pytest.param(public, id=str(public), marks=[pytest.mark.slow] if slow else [])


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the snippet of the API page defines, its index closed; `folder` is where it ran."""
    folder = tmp_path_factory.mktemp("examples")
    snippet = re.search(r"^```python\n(.*?)^```", API_PAGE.read_text("utf-8"), re.M | re.S)
    assert snippet is not None
    defined: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(snippet[1], defined)  # noqa: S102 - our own page
        defined["index"].close()
    return {**defined, "folder": folder}


def test_the_rooms_export_what_this_test_looks_for() -> None:
    shown = set(map(str, PUBLIC))

    assert {
        "konayuki.model.static.StaticModel.encode",
        "konayuki.search.index.Index.bulk",
        "konayuki.scale.embedding.embed",
    } <= shown
    assert not shown & set(NOT_SHOWN)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "serving"])
def test_the_api_page_describes_what_a_room_exports(room: str) -> None:
    described = re.findall(rf"^::: konayuki\.{room}\.(\w+)$", API_PAGE.read_text("utf-8"), re.M)

    assert sorted(described) == sorted(name for _, name in exports(room))


@pytest.mark.parametrize("public", PUBLIC, ids=str)
def test_a_public_docstring_has_an_example(public: Public) -> None:
    section = public.docstring.partition("\nExamples:\n")[2]

    assert section.lstrip().startswith(">>> "), "expected a section `Examples:` that runs"


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
@pytest.mark.parametrize("public", list(cases()))
def test_the_example_of_a_docstring_runs(
    public: Public, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if package := NEEDS.get(public.module):
        pytest.importorskip(package)
    shutil.copytree(names["folder"], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    top = public.name.partition(".")[0]
    documented = getattr(import_module(public.module), top)
    report: list[str] = []
    with Index.open("notes.konayuki", names["model"]) as index:
        given = {**names, top: documented, "index": index}
        example = doctest.DocTestParser().get_doctest(
            public.docstring, given, str(public), None, None
        )
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        failed, tried = runner.run(example, out=report.append)

    assert tried
    assert not failed, "".join(report)
