"""The part of each hit that is worth showing, in pieces with the matches marked."""

import re
from collections.abc import Sequence

from konayuki.search.snippet import Snippet, highlights, snippets
from konayuki.serving.schemas import Segment

Segments = list[Segment]
_HIRAGANA = re.compile("[\u3041-\u3096\u30fc\\s]+")
_LONGEST_ENDING = 3
_ENDING = re.compile(f"[\u3041-\u3096]{{1,{_LONGEST_ENDING}}}")
SNIPPET_CHARACTERS = 160
SHOWN_CHARACTERS = 10_000  # the snippet of a longer passage comes from its beginning


class Snippets:
    """Snippets of passages for one query."""

    def __init__(self, query: str) -> None:
        self._query = query
        # Short runs of hiragana are endings of words; a query of nothing else has words of them.
        self._marks_endings = _HIRAGANA.fullmatch(query) is not None

    def segments(self, texts: Sequence[str], width: int = SNIPPET_CHARACTERS) -> list[Segments]:
        """Return the snippet of each text in pieces: no client has to count characters as we do."""
        shown = [text[:SHOWN_CHARACTERS] for text in texts]
        return [self._pieces(part) for part in snippets(shown, self._query, width)]

    def marked(self, texts: Sequence[str]) -> list[Segments]:
        """Return each text, whole, in pieces."""
        if not any(texts):
            return [[] for _ in texts]
        spans = highlights(texts, self._query)
        return [self._pieces(Snippet(*part)) for part in zip(texts, spans, strict=True)]

    def _pieces(self, part: Snippet) -> Segments:
        segments: Segments = []
        last_end = 0
        for start, end in self._marked_spans(part):
            if last_end < start:
                segments.append(Segment(part.text[last_end:start], match=False))
            segments.append(Segment(part.text[start:end], match=True))
            last_end = end
        if last_end < len(part.text):
            segments.append(Segment(part.text[last_end:], match=False))
        return segments

    def _marked_spans(self, part: Snippet) -> list[tuple[int, int]]:
        if self._marks_endings:
            return part.spans
        return [
            (start, end)
            for start, end in part.spans
            if end - start > _LONGEST_ENDING or not _ENDING.fullmatch(part.text, start, end)
        ]
