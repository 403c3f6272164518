"""An adapter whose package is missing says which extra brings it."""

import subprocess
import sys

import pytest

from konayuki.extras import install_line

ADAPTERS = {
    "langchain": ("langchain_core", "langchain"),
    "llama_index": ("llama_index", "llama-index"),
    "haystack": ("haystack", "haystack"),
    "sklearn": ("sklearn", "sklearn"),
    "duckdb": ("duckdb", "duckdb"),
}
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r} or name.startswith({package!r} + "."):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
try:
    import konayuki.integrations.{adapter}
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_missing_package_names_its_extra(adapter: str) -> None:
    package, extra = ADAPTERS[adapter]
    code = HIDE.format(package=package, adapter=adapter)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    kind, message = done.stdout.strip().split(" ", 1)
    assert kind == "MissingExtraError"
    assert message.startswith(f"'{package}")
    assert message.endswith(f"\nhint: {install_line(extra)}")


def test_the_line_that_installs_an_extra_holds_for_a_clone_too() -> None:
    assert install_line("serve") == (
        "pip install '.[serve]' in a clone (once published: pip install 'konayuki[serve]')"
    )
