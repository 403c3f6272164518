"""What a short query is literally: the name of a file, or a phrase that stands in a passage."""

import re
from collections.abc import Mapping

import numpy as np

from konayuki.search.document import Document
from konayuki.search.phrases import Phrase
from konayuki.search.query import has_tokens
from konayuki.search.ranking import Ranked, SecondLook, is_one_term
from konayuki.text import fold

DEPTH = 50  # hits that are looked at; the second look has as many
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


def raised(look: SecondLook, k: int, text: str, documents: Mapping[int, Document]) -> list[Ranked]:
    """Return the best rows, with more score for those that the query is literally about.

    The best row of each file with this name comes first, whatever it says. A row with the query as
    a phrase comes before those that are nearly as good.

    Args:
        look: Rows with their scores.
        k: At least so many rows are returned, and all that tie with the last of them.
        text: A short query, prepared.
        documents: Of the rows that may be raised.
    """
    if not documents:
        return look.best(k)
    phrase = None if is_one_term(text) else Phrase(text)
    name = fold(text).strip()
    added: dict[int, dict[str, float]] = {}
    paths = set()
    for row in _best_first(look, documents):
        document = documents[row]
        parts = {}
        path = document.metadata.get("path")
        if isinstance(path, str) and path not in paths:
            paths.add(path)
            score = _name_score(document, name)
            if score:
                parts["name"] = score
        if phrase and phrase.occurs_in(_parts_of(document)):
            parts["phrase"] = _HELD
        if parts:
            added[row] = parts
    # What is raised goes up by more than zero, so the others among the best are among these.
    lines = [
        _with(line, added[line.row]) if line.row in added else line
        for line in look.best(k + len(added))
    ]
    known = {line.row for line in lines}
    others = [row for row in added if row not in known]
    if others:
        lines += [_with(line, added[line.row]) for line in look.at(others)]
    return lines


def _best_first(look: SecondLook, documents: Mapping[int, Document]) -> list[int]:
    """Return the rows of documents, best first."""
    places = np.flatnonzero(np.isin(look.rows, list(documents)))
    order = places[np.argsort(-look.scores[places], kind="stable")]
    rows: list[int] = look.rows[order].tolist()
    return rows


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
