"""Hybrid search over Japanese text: documents in, ranked hits out."""

from konayuki.choices import Mode
from konayuki.search.document import Document
from konayuki.search.encoder import Encoder
from konayuki.search.files import FileHits, by_file, place_of
from konayuki.search.index import Index, Replaced
from konayuki.search.notes import Source
from konayuki.search.query import Condition, Query, quoted
from konayuki.search.ranking import Hit
from konayuki.search.rerank import Reranked, rerank
from konayuki.search.snippet import Snippet, highlight, snippet
from konayuki.search.suggestions import Suggestion

__all__ = [
    "Condition",
    "Document",
    "Encoder",
    "FileHits",
    "Hit",
    "Index",
    "Mode",
    "Query",
    "Replaced",
    "Reranked",
    "Snippet",
    "Source",
    "Suggestion",
    "by_file",
    "highlight",
    "place_of",
    "quoted",
    "rerank",
    "snippet",
]
