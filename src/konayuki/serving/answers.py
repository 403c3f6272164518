"""What an agent is told: excerpts of hits, and passages whole, within a budget."""

import re
from collections.abc import Sequence

from konayuki.search import Document, FileHits, Hit, Index, snippet
from konayuki.search.files import place_of
from konayuki.serving.budget import Passage, Passages, fit, heading_of, shorten
from konayuki.serving.problems import Problem
from konayuki.serving.searching import DOUBTFUL
from konayuki.serving.snippets import SHOWN_CHARACTERS

_LONGEST_EXCERPT = 1200
_PLACE = re.compile(r"(?s)(.+?)(?::(\d{1,9})(?:-(\d{1,9}))?| p\.(\d{1,9}))")
_LINES, _PAGE = "line", "page"  # keys of the metadata that say where a passage begins


def excerpts(query: str, groups: Sequence[FileHits], max_tokens: int) -> Passages:
    """Return the part of each hit that answers a question, within a budget.

    Args:
        query: What was asked, to show the parts that hold its words.
        groups: Hits, best first, each with others of its file that are only counted.
        max_tokens: Budget of the whole answer.
    """

    def as_passage(group: FileHits, width: int) -> Passage:
        hit = group.best
        text = snippet(hit.text[:SHOWN_CHARACTERS], query, width - 2).text
        return Passage(
            id=hit.id,
            text=text,
            title=heading_of(hit.title),
            heading=heading_of(hit.heading),
            place=heading_of(place_of(hit)),
            relevance=hit.relevance,
            cut=text != hit.text,
            others=len(group.others),
        )

    hits = [group.best for group in groups]
    longest = min(_LONGEST_EXCERPT, max((len(hit.text) for hit in hits), default=0) + 2)
    note = verdict(hits)
    return fit(groups, as_passage, max_tokens=max_tokens, longest=max(longest, 32), note=note)


def verdict(hits: Sequence[Hit]) -> str:
    """Return what an agent should know before it believes the hits."""
    if not hits:
        return "Nothing relevant: no passage matches. Say so, or ask in other words."
    # After sorting by date, the best hit is not the first one.
    relevances = [hit.relevance for hit in hits if hit.relevance is not None]
    if relevances and max(relevances) < DOUBTFUL:
        return f"Probably nothing relevant: the best hit has relevance {max(relevances):.2f} of 1."
    return ""


def around(index: Index, identity: str, neighbours: int) -> list[Document]:
    """Return a document, and after it the passages before and behind it in the same file.

    Args:
        index: What is read.
        identity: An id, or a place: `notes.md:40`, `notes.md:40-80`, `report.pdf p.12`. A place
            gives all passages that stand there.
        neighbours: How many before and behind.

    Raises:
        Problem: There is no such document.
    """
    document = index.get(identity) or index.get(f"{identity}#0")
    chosen = [document] if document else _standing_at(index, identity)
    if not chosen:
        raise Problem(
            404,
            "document_not_found",
            f"there is no document {identity!r}\nhint: expected the id of a hit, or a path that "
            "`list_files` gives and lines, as in notes.md:40-80",
        )
    near = []
    for step in _steps(neighbours):
        edge = chosen[0] if step < 0 else chosen[-1]
        near.append(index.get(f"{edge.chunk_of}#{edge.position + step}"))
    return [*chosen, *(passage for passage in near if passage is not None)]


def _standing_at(index: Index, place: str) -> list[Document]:
    """Return the passages of a file that hold a line, lines or a page, in their order."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return []
    path, first_line, last_line, page = match.groups()
    passages = [index.get(key) for key in index.ids({"path": path})]
    ordered = sorted((one for one in passages if one), key=lambda one: one.position)
    if page:
        return [one for one in ordered if one.metadata.get(_PAGE) == int(page)]
    first, last = int(first_line), int(last_line or first_line)
    numbered = [one for one in ordered if isinstance(one.metadata.get(_LINES), int)]
    begun = [one for one in numbered if one.metadata[_LINES] <= last]
    # A passage goes on until the next one begins.
    ends = [*(one.metadata[_LINES] for one in numbered[1:]), float("inf")]
    return [one for one, end in zip(begun, ends, strict=False) if end > first]


def _steps(n: int) -> list[int]:
    """Return -1, 1, -2, 2, … up to n, so that the nearest passages come first."""
    return [step for distance in range(1, n + 1) for step in (-distance, distance)]


def in_full(documents: Sequence[Document], start: int, max_tokens: int) -> Passages:
    """Return whole passages in the order of their document, or what a budget leaves of them."""

    def as_passage(document: Document, width: int) -> Passage:
        whole = document.text[start:] if document is documents[0] else document.text
        return Passage(
            id=document.id,
            text=shorten(whole, width),
            title=heading_of(document.title),
            heading=heading_of(document.heading),
            cut=len(whole) > width,
        )

    longest = max(32, *(len(document.text) for document in documents))
    answer = fit(documents, as_passage, max_tokens=max_tokens, longest=longest)
    order = {document.id: document.position for document in documents}
    hits = sorted(answer.hits, key=lambda passage: order[passage.id])
    return answer.model_copy(update={"hits": hits})


def file_paths(index: Index) -> list[str]:
    """Return the paths of the files whose passages an index holds."""
    return sorted(path for path in index.values("path") if isinstance(path, str))
