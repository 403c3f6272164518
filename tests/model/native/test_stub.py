"""The stub of the compiled kernel names what it has."""

import ast
from pathlib import Path

import pytest

from konayuki.model import native
from konayuki.model.native.binding import kernel


@pytest.mark.skipif(kernel() is None, reason="the extension is not built")
def test_the_stub_names_every_function_of_the_module() -> None:
    compiled = kernel()
    stub = Path(str(native.__file__)).with_name("_kernel.pyi").read_text("utf-8")
    named = {node.name for node in ast.parse(stub).body if isinstance(node, ast.FunctionDef)}

    assert compiled is not None
    assert named == {name for name in dir(compiled.module) if not name.startswith("_")}
