"""Hybrid search over Japanese text: documents in, ranked hits out."""

from konayuki.choices import Mode
from konayuki.search.document import Document
from konayuki.search.encoder import Encoder
from konayuki.search.hits import Hit
from konayuki.search.index import Index, Replaced
from konayuki.search.notes import Source
from konayuki.search.snippet import Snippet, highlight, snippet

__all__ = [
    "Document",
    "Encoder",
    "Hit",
    "Index",
    "Mode",
    "Replaced",
    "Snippet",
    "Source",
    "highlight",
    "snippet",
]
