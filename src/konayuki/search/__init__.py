"""Hybrid search over Japanese text: documents in, ranked hits out."""

from konayuki.search.document import Document
from konayuki.search.encoder import Encoder
from konayuki.search.index import Hit, Index, Mode

__all__ = ["Document", "Encoder", "Hit", "Index", "Mode"]
