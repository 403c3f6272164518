"""What an evaluation set is, and the checks that turn rows into one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from konayuki.errors import DatasetError, InputError
from konayuki.rows import Row

LENIENT_HINT = "hint: --lenient drops or keeps such rows as sentence-transformers does"


class Passage(NamedTuple):
    r"""One document of a corpus.

    Examples:
        >>> Passage("標高は3776メートルである。", title="富士山").full_text(titles=True)
        '富士山\n標高は3776メートルである。'
    """

    text: str
    title: str = ""

    def full_text(self, *, titles: bool) -> str:
        """Return what is ranked: title and text as an Index joins them, or the text alone.

        Examples:
            >>> Passage("標高は3776メートルである。", title="富士山").full_text(titles=False)
            '標高は3776メートルである。'
        """
        return f"{self.title}\n{self.text}" if titles and self.title else self.text


@dataclass(frozen=True)
class RetrievalSet:
    """Queries, a corpus of passages, and which passage is relevant to which query.

    Examples:
        >>> from konayuki.evaluation import Passage
        >>> corpus = {"d1": Passage("富士山は高い。"), "d2": Passage("味噌汁は汁物だ。")}
        >>> queries = {"q1": "高い山は？", "q2": "汁物は？"}
        >>> mine = RetrievalSet("mine", corpus, queries, {"q1": {"d1": 1}, "q2": {"d2": 1}})
        >>> mine.is_graded
        False
    """

    name: str
    corpus: Mapping[str, Passage]
    queries: Mapping[str, str]  # those with at least one relevant passage
    qrels: Mapping[str, Mapping[str, int]]  # query id -> document id -> gain, gains above 0 only
    notes: tuple[str, ...] = ()  # what a lenient reader let pass

    @property
    def is_graded(self) -> bool:
        """Whether some passages are more relevant than others."""
        return any(gain > 1 for gains in self.qrels.values() for gain in gains.values())

    def sample(self, n_queries: int) -> "RetrievalSet":
        """Return the set with `n_queries` of its queries, a fixed sample, and the whole corpus.

        Examples:
            >>> from konayuki.evaluation import Passage
        >>> corpus = {"d1": Passage("富士山は高い。"), "d2": Passage("味噌汁は汁物だ。")}
            >>> queries = {"q1": "高い山は？", "q2": "汁物は？"}
            >>> mine = RetrievalSet("mine", corpus, queries, {"q1": {"d1": 1}, "q2": {"d2": 1}})
            >>> sample = mine.sample(1)
            >>> len(sample.queries), len(sample.corpus)
            (1, 2)
        """
        query_ids = list(self.queries)
        rows = np.random.default_rng(0).permutation(len(query_ids))[:n_queries]
        sampled = [query_ids[row] for row in rows]
        return replace(
            self,
            queries={query_id: self.queries[query_id] for query_id in sampled},
            qrels={query_id: self.qrels[query_id] for query_id in sampled},
        )


@dataclass(frozen=True)
class SimilaritySet:
    """Pairs of sentences with the similarity that people gave them.

    Examples:
        >>> pairs = SimilaritySet("mine", ("雪が降る", "猫が鳴く"), ("降雪", "株価"), (4.5, 0.2))
        >>> len(pairs.scores)
        2
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]
    notes: tuple[str, ...] = ()


EvaluationSet = RetrievalSet | SimilaritySet


def chosen(names: Sequence[str], only: Sequence[str]) -> list[str]:
    """Return the names in `only`, or all if it is empty, in the order of `names`.

    Raises:
        InputError: `only` holds another name.
    """
    for name in only:
        if name not in names:
            raise InputError(f"there is no set {name!r}: expected one of {', '.join(names)}")
    return [name for name in dict.fromkeys(names) if not only or name in only]


@dataclass
class _Ledger:
    """Problems of a set: the first one ends a strict reading, a lenient one counts them."""

    strict: bool
    counts: dict[str, int] = field(default_factory=dict)

    def report(self, row: Row, kind: str, detail: str) -> None:
        if self.strict:
            raise DatasetError(f"{row.place}: {detail}\n{LENIENT_HINT}")
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def notes(self) -> tuple[str, ...]:
        return tuple(f"{kind}: {count:,}" for kind, count in self.counts.items())


def build_retrieval_set(
    name: str,
    corpus: Iterable[Row],
    queries: Iterable[Row],
    qrels: Iterable[Row],
    *,
    strict: bool = True,
) -> RetrievalSet:
    """Return the set that three tables hold, checked row by row.

    Strict reading refuses empty texts, duplicate ids and judgements of unknown ids. Lenient
    reading treats them as sentence-transformers does: empty texts are dropped, the last row of an
    id wins, an unknown document counts as one that is never found.

    Raises:
        DatasetError: A row cannot be used; the message names file, row and reason.
    """
    ledger = _Ledger(strict)
    passages = {
        doc_id: Passage(text, _title(row)) for doc_id, text, row in _texts(corpus, ledger, "corpus")
    }
    questions = {query_id: text for query_id, text, _ in _texts(queries, ledger, "queries")}
    gains = _gains(qrels, passages, questions, ledger)
    if not gains:
        raise DatasetError(
            f"{name}: no question has a relevant passage: expected a score above 0 in qrels"
        )
    judged = {query_id: text for query_id, text in questions.items() if query_id in gains}
    return RetrievalSet(name, passages, judged, gains, ledger.notes())


def build_similarity_set(name: str, rows: Iterable[Row]) -> SimilaritySet:
    """Return the pairs of one table with the columns sentence1, sentence2 and score.

    Raises:
        DatasetError: A row cannot be used, or there are fewer than two.
    """
    first, second, scores = [], [], []
    for row in rows:
        first.append(row.text("sentence1"))
        second.append(row.text("sentence2"))
        scores.append(_number(row, "score"))
    if len(scores) < 2:
        raise DatasetError(f"{name}: {len(scores)} pairs: expected at least 2, for a correlation")
    return SimilaritySet(name, tuple(first), tuple(second), tuple(scores))


def _texts(rows: Iterable[Row], ledger: _Ledger, part: str) -> Iterable[tuple[str, str, Row]]:
    """Yield id, text and row of the usable rows of a corpus or of queries."""
    place_by_id: dict[str, str] = {}
    row: Row | None = None
    for row in rows:
        item_id, text = row.key("_id"), row.text("text")
        if not text.strip():
            detail = f"the text of {item_id!r} is empty"
            what = "texts of white space kept" if text else "empty texts dropped"
            ledger.report(row, f"{part}: {what}", detail)
        if not text:
            continue
        if item_id in place_by_id:
            detail = f"id {item_id!r} is used twice, first in {place_by_id[item_id]}"
            ledger.report(row, f"{part}: ids used twice, the last row kept", detail)
        place_by_id[item_id] = row.place
        yield item_id, text, row
    if row is None:
        raise DatasetError(f"the table {part} has no rows")


def _title(row: Row) -> str:
    title = row.values.get("title")
    if title is None:
        return ""
    if not isinstance(title, str):
        raise DatasetError(f"{row.place}: 'title' is {title!r}: expected a string")
    return title.strip()


def _gains(
    rows: Iterable[Row],
    passages: Mapping[str, Passage],
    questions: Mapping[str, str],
    ledger: _Ledger,
) -> dict[str, dict[str, int]]:
    """Return the gains above 0 by question and document."""
    gains: dict[str, dict[str, int]] = {}
    for row in rows:
        query_id, gain = row.key("query-id"), _gain(row)
        if query_id not in questions:
            ledger.report(
                row,
                "qrels: unknown questions ignored",
                f"question {query_id!r} is not among the {len(questions):,} queries",
            )
            continue
        for doc_id in _document_ids(row):
            if doc_id not in passages:
                ledger.report(
                    row,
                    "qrels: documents outside the corpus, counted as not found",
                    f"document {doc_id!r} is not among the {len(passages):,} of the corpus",
                )
            if gain > 0:
                gains.setdefault(query_id, {})[doc_id] = gain
    return gains


def _document_ids(row: Row) -> list[str]:
    """Return the documents of one judgement; NanoBEIR sets may list several in one cell."""
    value = row.value("corpus-id")
    if isinstance(value, list):
        return [Row({"corpus-id": item}, row.file, row.number).key("corpus-id") for item in value]
    return [row.key("corpus-id")]


def _gain(row: Row) -> int:
    """Return the gain of a judgement; a table without scores lists relevant pairs only."""
    if "score" not in row.values:
        return 1
    gain = _number(row, "score")
    if not gain.is_integer():
        raise DatasetError(f"{row.place}: 'score' is {gain}: expected a whole number")
    return int(gain)


def _number(row: Row, column: str) -> float:
    value = row.value(column)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        raise DatasetError(f"{row.place}: {column!r} is {value!r}: expected a number")
    return number
