"""Static sentence embeddings and hybrid search for Japanese on ordinary CPUs."""

from typing import TYPE_CHECKING

from konayuki import errors

if TYPE_CHECKING:
    from konayuki.integrations import sqlite
    from konayuki.model import StaticModel
    from konayuki.search import Hit, Index, rerank

__version__ = "0.1.0"
__all__ = ["Hit", "Index", "StaticModel", "__version__", "errors", "rerank", "sqlite"]


def __getattr__(name: str) -> object:
    """Import a room when its name is first used: encoding never pays for the search engine."""
    if name == "StaticModel":
        from konayuki.model import StaticModel

        return StaticModel
    if name in {"Hit", "Index", "rerank"}:
        from konayuki import search

        return getattr(search, name)
    if name == "sqlite":
        from konayuki.integrations import sqlite

        return sqlite
    raise AttributeError(f"module 'konayuki' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is imported when it is first used, too."""
    return sorted({*globals(), *__all__})
