"""What a short query is literally: the name of a file, or a phrase that stands in a passage."""

import re
from collections.abc import Iterator, Mapping, Sequence

from konayuki.search.document import Document
from konayuki.search.phrases import Phrase
from konayuki.search.query import has_tokens
from konayuki.search.ranking import Ranked, is_one_term
from konayuki.text import fold

DEPTH = 100  # hits that are looked at
_LONGEST = 20  # characters of a query; a longer one is a question, which stands in no passage
_NAMED, _NUMBERED = 60.0, 40.0  # more than all features together
_HELD = 3.0  # as much as one good feature: it decides between passages that are nearly as good
# At least: who types the name of a file, or words that stand there so, is likely to want it.
_NAMED_RELEVANCE, _HELD_RELEVANCE = 0.5, 0.2
_NUMBERS = re.compile(r"[\W\d_]+")  # 電気代2024.csv is called 電気代
_JOINTS = re.compile(r"[_\s]+")  # 2024-05-10_budget_final.md is called each of the three


def is_short(text: str) -> bool:
    """Return whether a prepared query is short enough to be a name or a phrase."""
    return len(text.strip()) <= _LONGEST and has_tokens(text)


def has_suffix(text: str) -> bool:
    """Return whether a query may name a file with its suffix, which is not searched like its name.

    The rest of what `raised` looks for is in passages with all terms of the query.
    """
    return "." in fold(text)


def raised(ranked: Sequence[Ranked], text: str, documents: Mapping[int, Document]) -> list[Ranked]:
    """Return ranked rows with more score for those that the query is literally about.

    The best row of each file with this name comes first, whatever it says. A row with the query as
    a phrase comes before those that are nearly as good.

    Args:
        ranked: Rows with their scores.
        text: A short query, prepared.
        documents: Those of the rows; a row without one stays as it is.
    """
    phrase = None if is_one_term(text) else Phrase(text)
    name = fold(text).strip()
    named = {
        line.row: _name_score(documents[line.row], name)
        for line in _best_of_files(ranked, documents)
    }
    lines = []
    for line in ranked:
        document = documents.get(line.row)
        parts: dict[str, float] = {}
        if named.get(line.row):
            parts["name"] = named[line.row]
        if phrase and document and phrase.occurs_in(_parts_of(document)):
            parts["phrase"] = _HELD
        lines.append(_with(line, parts) if parts else line)
    return lines


def _best_of_files(ranked: Sequence[Ranked], documents: Mapping[int, Document]) -> Iterator[Ranked]:
    """Yield the best row of each file."""
    seen = set()
    for line in sorted(ranked, key=lambda line: -line.score):
        path = documents[line.row].metadata.get("path") if line.row in documents else None
        if isinstance(path, str) and path not in seen:
            seen.add(path)
            yield line


def _name_score(document: Document, name: str) -> float:
    """Return what a file gets for its name, 0.0 if it has another one."""
    file = fold(document.metadata["path"]).replace("\\", "/").rpartition("/")[2]
    stem = file.rpartition(".")[0] or file
    if name in (file, stem):
        return _NAMED
    if name[:1] not in stem:
        return 0.0
    is_part = len(name) > 1 and name in _JOINTS.split(stem)
    return _NUMBERED if is_part or name == _NUMBERS.sub("", stem) else 0.0


def _parts_of(document: Document) -> tuple[str, str, str]:
    return document.title, document.heading, document.text


def _with(line: Ranked, parts: Mapping[str, float]) -> Ranked:
    relevance = line.relevance
    if relevance is not None:
        relevance = max(relevance, _NAMED_RELEVANCE if "name" in parts else _HELD_RELEVANCE)
    return line._replace(
        score=line.score + sum(parts.values()), relevance=relevance, parts={**line.parts, **parts}
    )
