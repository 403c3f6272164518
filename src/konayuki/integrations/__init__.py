"""konayuki under the names of other libraries: thin adapters, one public module per library.

The adapters share class names (`KonayukiRetriever`), so each is imported from its own module, such
as `konayuki.integrations.langchain`; the module needs the extra of its
name, but for `sqlite`, which needs none. `push` sends a model
folder to the Hugging Face hub.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from konayuki.integrations import (
        duckdb,
        haystack,
        langchain,
        llama_index,
        mteb,
        sklearn,
        sqlite,
    )
    from konayuki.integrations.hub_push import Pushed, push

__all__ = [
    "Pushed",
    "duckdb",
    "haystack",
    "langchain",
    "llama_index",
    "mteb",
    "push",
    "sklearn",
    "sqlite",
]


def __getattr__(name: str) -> object:
    """Import the module of a name when the name is first used."""
    if name in {"Pushed", "push"}:
        return getattr(import_module(f"{__name__}.hub_push"), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return also the names that are imported when they are first used."""
    return sorted({*globals(), *__all__})
