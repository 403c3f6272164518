"""The rows that a query admits: phrases, exclusions and filters, before anything is ranked."""

import threading
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from konayuki.arrays import IntVector
from konayuki.search import facts
from konayuki.search.dates import DATE_KEYS, day_of
from konayuki.search.documents import Documents, Filter
from konayuki.search.phrases import Phrase
from konayuki.search.query import Condition, Query
from konayuki.search.ranking import View, is_among
from konayuki.text import fold

TAG_KEYS = ("tags", "tag", "タグ")
_CACHED = 16  # answers that are kept: a page asks again with every key pressed
# Other names of kinds; any other is the suffix itself.
KIND_SUFFIXES = {
    "text": ("txt", "text", "log"),
    "markdown": ("md", "markdown"),
    "html": ("html", "htm"),
    "word": ("docx",),
    "excel": ("xlsx",),
    "powerpoint": ("pptx",),
    "mail": ("eml", "mbox"),
    "ebook": ("epub",),
    "notebook": ("ipynb",),
    "subtitles": ("srt", "vtt"),
}


class Selector:
    """Finds the rows that queries admit, and the dates of rows; the last answers are kept.

    Args:
        documents: Of the index.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._guard = threading.Lock()
        self._answers: dict[tuple[object, ...], IntVector] = {}

    def rows(self, view: View, query: Query, where: Filter) -> IntVector | None:
        """Return the rows that a query and a filter admit: int64, ascending; None if all are.

        There may be dead rows among them.
        """
        if not (where or query.restricts):
            return None
        admitted = [self._with_phrase(view, phrase) for phrase in query.phrases]
        refused = [self._with_phrase(view, phrase) for phrase in query.exclusions]
        for condition in query.conditions:
            chosen = refused if condition.excluded else admitted
            chosen.append(self._satisfying(view, condition))
        if where:
            admitted.append(np.asarray(self._documents.matching(where), dtype=np.int64))
        rows = min(admitted, key=len) if admitted else view.vectors.rows
        for others in admitted:
            if others is not rows:
                rows = rows[is_among(rows, others)]
        for others in refused:
            rows = rows[~is_among(rows, others)]
        return rows

    def newest(self, view: View, rows: IntVector, k: int) -> list[int]:
        """Return the `k` newest of the living among rows; those without a date come last.

        Rows of one day keep their order.
        """
        rows = rows[view.vectors.living(rows)]
        dated, days = self._dates(view)
        if len(dated):
            places = np.minimum(np.searchsorted(dated, rows), len(dated) - 1)
            row_days = np.where(dated[places] == rows, days[places], 0)
            rows = rows[np.argsort(-row_days, kind="stable")]
        newest: list[int] = rows[:k].tolist()
        return newest

    def _with_phrase(self, view: View, text: str) -> IntVector:
        """Return the rows with a phrase in title, heading or text."""

        def find() -> IntVector:
            phrase = Phrase(text)
            # Not all that have the terms have the phrase: terms of other spellings, of keywords and
            # of other places in the text are among them.
            rows = view.lexical.rows_with(phrase.terms)
            rows = rows[view.vectors.living(rows)]
            parts_by_row = facts.parts_of(self._documents, rows.tolist())
            holding = [row for row, parts in parts_by_row if phrase.occurs_in(parts)]
            return np.sort(np.asarray(holding, dtype=np.int64))

        return self._kept((view.generation, "phrase", text), find)

    def _satisfying(self, view: View, condition: Condition) -> IntVector:
        """Return the rows whose metadata is as a condition says, whether or not it is excluded."""

        def find() -> IntVector:
            if condition.field in ("after", "before"):
                dated, days = self._dates(view)
                limit = date.fromisoformat(condition.values[0]).toordinal()
                return dated[days >= limit if condition.field == "after" else days < limit]
            keys = TAG_KEYS if condition.field == "tag" else ("path",)
            return facts.rows_where(
                self._documents, keys, _TESTS[condition.field](condition.values)
            )

        return self._kept((view.generation, condition.field, condition.values), find)

    def _dates(self, view: View) -> tuple[IntVector, IntVector]:
        """Return the rows that have a date, ascending, and their days as numbers: int64 (n,)."""

        def find() -> IntVector:
            days: dict[int, int] = {}
            for key in reversed(DATE_KEYS):  # the first one counts
                for value, rows in facts.values_by_row(self._documents, key):
                    day = day_of(value)
                    if day is not None:
                        days.update(dict.fromkeys(rows, day.toordinal()))
            return np.array(sorted(days.items()), dtype=np.int64).reshape(-1, 2).T

        dated, days = self._kept((view.generation, "dates"), find)
        return dated, days

    def _kept(self, key: tuple[object, ...], find: Callable[[], IntVector]) -> IntVector:
        """Return an answer from memory if it was asked before."""
        with self._guard:
            answer = self._answers.pop(key, None)
        if answer is None:
            answer = find()
        with self._guard:
            self._answers[key] = answer
            while len(self._answers) > _CACHED:
                del self._answers[next(iter(self._answers))]
        return answer


def _has_tag(wanted: Sequence[str]) -> Callable[[str], bool]:
    """Return a test of tags: 料理 takes 料理/和食, too, as note editors do."""
    tags = [fold(tag).lstrip("#") for tag in wanted]

    def accepts(value: str) -> bool:
        tag = fold(value).lstrip("#")
        return any(tag == other or tag.startswith(f"{other}/") for other in tags)

    return accepts


def _lies_in(wanted: Sequence[str]) -> Callable[[str], bool]:
    parts = [_path(part) for part in wanted]
    return lambda path: any(part in _path(path) for part in parts)


def _is_of_kind(wanted: Sequence[str]) -> Callable[[str], bool]:
    kinds = [fold(kind).lstrip(".") for kind in wanted]
    suffixes = tuple(f".{suffix}" for kind in kinds for suffix in KIND_SUFFIXES.get(kind, (kind,)))
    return lambda path: fold(path).endswith(suffixes)


def _path(text: str) -> str:
    return fold(text).replace("\\", "/")


_TESTS = {"tag": _has_tag, "path": _lies_in, "kind": _is_of_kind}
