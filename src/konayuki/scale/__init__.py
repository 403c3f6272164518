"""Past one machine: corpora into vectors, vectors into the engines that people already run.

Names are imported when they are first used: most of them need an extra.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from konayuki.scale.clusters import Clusters, find_clusters, name_clusters
    from konayuki.scale.duplicates import Duplicates, find_duplicates
    from konayuki.scale.embedding import EmbedReport, EmbedSettings, embed
    from konayuki.scale.passages import EmbeddedPassage, PassageSource, open_passages
    from konayuki.scale.qdrant import QdrantSink, connect, push
    from konayuki.scale.qdrant_search import QdrantHit, QdrantSearch
    from konayuki.scale.sink import Sink
    from konayuki.scale.spark import embed_udf

__all__ = [
    "Clusters",
    "Duplicates",
    "EmbedReport",
    "EmbedSettings",
    "EmbeddedPassage",
    "PassageSource",
    "QdrantHit",
    "QdrantSearch",
    "QdrantSink",
    "Sink",
    "connect",
    "embed",
    "embed_udf",
    "find_clusters",
    "find_duplicates",
    "name_clusters",
    "open_passages",
    "push",
]
_HOMES = {
    "clusters": ("Clusters", "find_clusters", "name_clusters"),
    "duplicates": ("Duplicates", "find_duplicates"),
    "embedding": ("EmbedReport", "EmbedSettings", "embed"),
    "passages": ("EmbeddedPassage", "PassageSource", "open_passages"),
    "qdrant": ("QdrantSink", "connect", "push"),
    "qdrant_search": ("QdrantHit", "QdrantSearch"),
    "sink": ("Sink",),
    "spark": ("embed_udf",),
}


def __getattr__(name: str) -> object:
    """Import the module of a name when the name is first used."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return also the names that are imported when they are first used."""
    return sorted({*globals(), *__all__})
