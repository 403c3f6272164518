"""Hybrid search over Japanese text: documents in, ranked hits out."""

from konayuki.search.chunker import Cutting
from konayuki.search.document import Document
from konayuki.search.encoder import Encoder
from konayuki.search.hits import Hit
from konayuki.search.index import Index, Mode
from konayuki.search.ingest import Summary, update
from konayuki.search.readers import find_files, read_records
from konayuki.search.snippet import Snippet, highlight, snippet

__all__ = [
    "Cutting",
    "Document",
    "Encoder",
    "Hit",
    "Index",
    "Mode",
    "Snippet",
    "Summary",
    "find_files",
    "highlight",
    "read_records",
    "snippet",
    "update",
]
