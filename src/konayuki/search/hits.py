"""What a search answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from konayuki.search.document import Document
from konayuki.search.ranking import Ranked


@dataclass(frozen=True)
class Hit:
    """One answer.

    Attributes:
        id: The user's key.
        score: What the hits are ordered by; comparable within one answer only. Of hybrid search it
            is that of the second look, see `konayuki.search.ranker`, or without one the cosine and
            what the words add to it, see `konayuki.search.fusion`.
        text: The passage.
        title: Title of its document.
        metadata: What was stored with it.
        lexical: BM25, None if the mode does not use it; 0 if no term matches.
        dense: Cosine, None if the mode does not use it.
        document: Key of the document that the passage was cut from, or its own.
        heading: Path of headings above it.
        position: Its place in the document, from 0.
        relevance: How likely the passage answers the question, from 0 to 1; comparable between
            questions. None without a second look.
        parts: What each feature adds to the score, by name; they sum up to it.

    Examples:
        >>> hit = index.search("いちばん大きな湖", k=1)[0]
        >>> hit.id, hit.title, hit.metadata["kind"]
        ('biwa', '琵琶湖', '湖')
        >>> 0 < hit.relevance < 1, abs(sum(hit.parts.values()) - hit.score) < 1e-4
        (True, True)
    """

    id: str
    score: float
    text: str
    title: str
    metadata: Mapping[str, Any]
    lexical: float | None
    dense: float | None
    document: str
    heading: str
    position: int
    relevance: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


def as_hits(ranked: Sequence[Ranked], documents: Mapping[int, Document]) -> list[Hit]:
    """Return hits, best first; equal scores are ordered by id."""
    hits = []
    for line in ranked:
        document = documents[line.row]
        hit = Hit(
            id=document.id,
            score=line.score,
            text=document.text,
            title=document.title,
            metadata=document.metadata,
            lexical=line.lexical,
            dense=line.dense,
            document=document.chunk_of or document.id,
            heading=document.heading,
            position=document.position,
            relevance=line.relevance,
            parts=line.parts,
        )
        hits.append(hit)
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))
