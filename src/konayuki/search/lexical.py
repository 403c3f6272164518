"""The lexical half: BM25 over terms in a tantivy index that knows its own generation."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tantivy
from tantivy import Occur, Query

from konayuki.arrays import BoolVector, FloatVector, IntVector
from konayuki.errors import IndexFormatError, IndexLockedError
from konayuki.files import folder_rights
from konayuki.search import tantivy_files
from konayuki.search.clauses import Clauses
from konayuki.search.document import Document, facts_of
from konayuki.search.documents import Filter
from konayuki.search.failures import failure
from konayuki.search.terms import ANALYZER_VERSION, completed, query_terms, terms_of

_WRITER_BYTES = 128_000_000
_LONGEST_FACT = 1024


class Mark(NamedTuple):
    """What a state of the index holds: living documents of a generation, up to a row.

    Attributes:
        generation: The generation of the documents.
        last_row: The highest row that was taken in.
        index_id: The random number of the index; 0 in an index of format 1.
        commit: The random number of the commit that made the generation; 0 in format 1.
        analyzer: The version of the terms.
    """

    generation: int = 0
    last_row: int = 0
    index_id: int = 0
    commit: int = 0
    analyzer: int = ANALYZER_VERSION


# In indexes of format 1 the mark has only the first two.
_FORMAT_1_MARK = Mark(analyzer=1)


@contextmanager
def _tantivy(folder: Path | None) -> Iterator[None]:
    """Turn what tantivy raises into our errors; it may even panic over a file made to hurt."""
    try:
        yield
    except (ValueError, OSError, LookupError) as error:
        raise failure(folder or Path("lexical"), error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of pyo3, which does not export it
            raise
        raise IndexFormatError(f"{folder}: {error}: expected a tantivy index") from error


def build_schema() -> tantivy.Schema:
    """Return the fields: terms of two kinds, facts for filters, and the mark."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", indexed=True, fast=True)
    builder.add_text_field("grams", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("characters", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("facts", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("mark", indexed=True)
    for name in Mark._fields:
        builder.add_integer_field(name, fast=True)
    return builder.build()


class LexicalView:
    """The lexical index of one generation; never changes."""

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema) -> None:
        self._searcher = searcher
        self._schema = schema
        self.mark, n_counted = self._read_mark()
        self._clauses = Clauses(searcher, schema, n_counted)

    @_tantivy(None)
    def best(
        self, text: str, k: int, living: Callable[[IntVector], BoolVector], where: Filter = ()
    ) -> tuple[IntVector, FloatVector]:
        """Return the living rows that match a query best and their BM25 scores, best first.

        At least `k` of them if that many match, and every row whose score ties with the last.

        Args:
            text: The query.
            k: How many.
            living: Tells which rows live. tantivy was told of the dead, but a merge in the
                background can lose a deletion (seen with 0.27), so its word is not enough.
            where: (key, allowed values) pairs that must all hold.
        """
        query = self._query(text, where)
        if query is None or k == 0:
            return _as_vectors([], [])
        return self._leading(query, k, living)

    @_tantivy(None)
    def best_with(
        self,
        text: str,
        k: int,
        living: Callable[[IntVector], BoolVector],
        where: Filter,
        others: IntVector,
    ) -> tuple[IntVector, FloatVector, FloatVector]:
        """Return what `best` does, and the BM25 scores of other rows, 0 for those without a match.

        tantivy goes through the rows that match once, which is most of the time. Scores are exact
        up to 2**-23 of the ceiling.

        Args:
            text: See `best`.
            k: See `best`.
            living: See `best`.
            where: See `best`.
            others: int64 (n,), living rows that satisfy the filter.
        """
        query = self._query(text, where)
        if query is None or k == 0 or not len(others):
            return *self.best(text, k, living, where), np.zeros(len(others), np.float32)
        # More than any score, so the others come first; a power of two loses the fewest digits.
        raised = 2.0 ** math.ceil(math.log2(self.ceiling(text) + 1))
        chosen = Query.const_score_query(self._one_of(others.tolist()), raised)
        both = Query.boolean_query([(Occur.Should, query), (Occur.Should, chosen)])
        rows, scores = self._leading(both, k + len(others), living)
        n_raised = int(np.count_nonzero(scores >= raised))
        scores[:n_raised] -= np.float32(raised)
        known = dict(zip(rows[:n_raised].tolist(), scores[:n_raised].tolist(), strict=True))
        other_scores = np.array([known.get(row, 0) for row in others.tolist()], np.float32)
        order = np.argsort(-scores, kind="stable")
        order = order[: np.count_nonzero(scores > 0)]
        rows, scores = rows[order], scores[order]
        if k < len(scores):  # rounding must not separate what ties
            n_best = np.count_nonzero(scores >= scores[k - 1] - np.float32(raised * 2**-22))
            rows, scores = rows[:n_best], scores[:n_best]
        return rows, scores, other_scores

    def _leading(
        self, query: Query, k: int, living: Callable[[IntVector], BoolVector]
    ) -> tuple[IntVector, FloatVector]:
        """Return at least the `k` best living rows, and every row that ties with the last."""
        limit = k + 16
        while True:
            limit = min(limit, self._searcher.num_docs)  # tantivy reserves room for every one
            hits = self._search(query, limit)
            rows, scores = self._rows_of(hits)
            alive = living(rows)
            rows, scores = rows[alive], scores[alive]
            exhausted = len(hits) < limit or limit == self._searcher.num_docs
            if exhausted or (len(rows) >= k and scores[k - 1] > hits[-1][0]):
                floor = scores[min(k, len(rows)) - 1] if len(rows) else 0.0
                return rows[scores >= floor], scores[scores >= floor]
            limit *= 4

    @_tantivy(None)
    def scores_of(self, text: str, rows: Sequence[int]) -> dict[int, float]:
        """Return the BM25 score of those rows that match a query at all."""
        query = self._query(text)
        if query is None or not rows:
            return {}
        chosen = Query.const_score_query(self._one_of(rows), 0.0)
        query = Query.boolean_query([(Occur.Must, query), (Occur.Must, chosen)])
        matching, scores = self._rows_of(self._search(query, len(rows)))
        return dict(zip(matching.tolist(), scores.tolist(), strict=True))

    @_tantivy(None)
    def rows_with(self, terms: Sequence[tuple[str, str]], limit: int | None = None) -> IntVector:
        """Return the rows, dead ones too, that have all of these (field, term) pairs, ascending.

        Args:
            terms: The pairs.
            limit: Return no more rows than this, any of them; default: all.

        Returns:
            int64 (n,).
        """
        clauses = [
            (Occur.Must, Query.const_score_query(Query.term_query(self._schema, *term, "basic"), 0))
            for term in terms
        ]
        n_rows = self._searcher.num_docs
        hits = self._search(Query.boolean_query(clauses), min(n_rows, limit or n_rows))
        return np.sort(self._rows_of(hits)[0])

    @_tantivy(None)
    def ceiling(self, text: str) -> float:
        """Return the BM25 that no document exceeds: every term of the query without end.

        Terms that no document holds count as well, so it is 0 only for a query without terms.
        """
        return self._clauses.ceiling(text)

    @_tantivy(None)
    def completed(self, text: str) -> str:
        """Return a query whose words that were typed in part go on as they do most often.

        Only words that no document holds; width and case are folded if one changes.
        """
        completions = {word: self._clauses.completions(word) for word in query_terms(text).grams}
        if not any(completions.values()):
            return text
        return completed(text, {word: longer[0] for word, longer in completions.items() if longer})

    def _one_of(self, rows: Sequence[int]) -> Query:
        """Return the query of some rows."""
        # One query a row: a set of terms would walk the dictionary, at four times the cost.
        return Query.boolean_query(
            [(Occur.Should, Query.term_query(self._schema, "row", row, "basic")) for row in rows]
        )

    def _search(self, query: Query, limit: int) -> list[tuple[Any, Any]]:
        hits: list[tuple[Any, Any]] = self._searcher.search(query, limit, count=False).hits
        return hits

    def _query(self, text: str, where: Filter = ()) -> Query | None:
        matching = self._clauses.query(text)
        if matching is None or not where:
            return matching
        return Query.boolean_query(
            [(Occur.Must, matching), *((Occur.Must, self._fact(*part)) for part in where)]
        )

    def _fact(self, key: str, allowed: Sequence[str]) -> Query:
        terms = [_fact_term(key, value) for value in allowed]
        return Query.const_score_query(Query.term_set_query(self._schema, "facts", terms), 0.0)

    def _rows_of(self, hits: list[tuple[Any, Any]]) -> tuple[IntVector, FloatVector]:
        addresses = [address for _, address in hits]
        rows = self._searcher.fast_field_values("row", addresses) if addresses else []
        return _as_vectors(rows, [score for score, _ in hits])

    @_tantivy(None)
    def _read_mark(self) -> tuple[Mark, int]:
        """Return the mark, and how many documents tantivy counts for its IDF.

        It counts those deleted too, until a merge drops them, as do document frequencies; no
        method tells the number, but the explanation of a score does.
        """
        query = Query.term_query(self._schema, "mark", 1)
        hits = self._search(query, 2)
        if len(hits) != 1:
            raise IndexFormatError(f"{len(hits)} marks in the lexical index: expected one")
        addresses = [hits[0][1]]
        fields = _FORMAT_1_MARK._asdict()
        for name in fields:
            with suppress(ValueError):  # not a field of this schema
                fields[name] = int(self._searcher.fast_field_values(name, addresses)[0] or 0)
        explanation = json.loads(query.explain(self._searcher, addresses[0]).to_json())
        counted = _part(_part(explanation, "idf,"), "N,")["value"]
        return Mark(**fields), int(counted)


class LexicalIndex:
    """The files behind the views.

    Args:
        folder: Where they are; None for an index in memory.
        mirrored: Never write in the folder: tantivy, which makes a lock file even to read, works
            in a temporary folder with links to the files.
    """

    def __init__(self, folder: Path | None, *, mirrored: bool = False) -> None:
        self.folder = folder
        self._mirror = tantivy_files.Mirror(folder) if mirrored and folder else None
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None

    def create(self, mark: Mark = Mark()) -> None:  # noqa: B008 - a tuple: nobody can change it
        """Start with no documents, in the folder or, without one, in memory.

        What an earlier index left in the folder is removed, and nothing else.
        """
        self.close()
        with _tantivy(self.folder):
            if self.folder is None:
                self._index = tantivy.Index(build_schema())
            else:
                self.folder.mkdir(mode=folder_rights(self.folder.parent), exist_ok=True)
                tantivy_files.remove_all(self.folder)
                self._index = tantivy.Index(build_schema(), path=str(self.folder), reuse=False)
            self._index.config_reader("manual")
        self.commit(mark)

    def open(self) -> None:
        """Open the files.

        Raises:
            IndexFormatError: They cannot be read.
        """
        folder = self._mirror.refresh() if self._mirror else self.folder
        with _tantivy(self.folder):
            self._index = tantivy.Index.open(str(folder))
            self._index.config_reader("manual")

    def check(self) -> None:
        """Compare the files with the checksums in their footers.

        Raises:
            IndexFormatError: They differ, or one is missing; the message names the file.
        """
        assert self.folder is not None  # noqa: S101 - only files can be checked
        tantivy_files.check(self.folder)

    def view(self) -> LexicalView:
        """Return the newest committed state."""
        index = self._opened()
        if self._mirror:
            self._mirror.refresh()
        with _tantivy(self.folder):
            index.reload()
            return LexicalView(index.searcher(), index.schema)

    def add(self, rows: Sequence[int], documents: Iterable[Document]) -> None:
        """Take documents in; `commit` makes them visible."""
        writer = self._writing()
        for row, document in zip(rows, documents, strict=True):
            terms = terms_of(document.searched_text)
            entry = tantivy.Document()
            entry.add_integer("row", row)
            entry.add_text("grams", " ".join(terms.grams))
            entry.add_text("characters", " ".join(terms.characters))
            for key, value in facts_of(document.metadata):
                entry.add_text("facts", _fact_term(key, value))
            with _tantivy(self.folder):
                writer.add_document(entry)

    def remove(self, rows: Iterable[int]) -> None:
        """Take documents out; `commit` makes it visible."""
        writer = self._writing()
        with _tantivy(self.folder):
            for row in rows:
                writer.delete_documents_by_term("row", row)

    def commit(self, mark: Mark) -> None:
        """Make what was added and removed visible and durable, together with its mark."""
        writer = self._writing()
        with _tantivy(self.folder):
            writer.delete_documents_by_term("mark", 1)
            entry = tantivy.Document()
            entry.add_integer("mark", 1)
            for name, value in mark._asdict().items():
                entry.add_integer(name, value)
            writer.add_document(entry)
            writer.commit()

    def version(self) -> tuple[int, ...]:
        """Return something that changes whenever another process commits."""
        if self.folder is None:
            return ()
        try:
            status = (self.folder / "meta.json").stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def rollback(self) -> None:
        """Drop what was added or removed since the last commit."""
        with suppress(ValueError):  # a writer that failed cannot even roll back
            if self._writer is not None:
                self._writer.rollback()
        self.finish_merges()

    def collect_garbage(self) -> None:
        """As the only writer: remove files that no commit speaks of, left by a killed one.

        tantivy would stumble over them when it comes to write a file of the same name.
        """
        assert self.folder is not None  # noqa: S101 - ours: only files can be collected
        tantivy_files.remove_unused(self.folder)

    def finish_merges(self) -> None:
        """Wait for merges and let the right to write go; reading goes on."""
        writer, self._writer = self._writer, None
        with suppress(ValueError):  # a merge that failed changes nothing
            if writer is not None:
                writer.wait_merging_threads()

    def close(self) -> None:
        """Let the files go."""
        self.finish_merges()
        self._index = None
        if self._mirror:
            self._mirror.close()

    def _opened(self) -> tantivy.Index:
        assert self._index is not None  # noqa: S101 - ours: create or open comes first
        return self._index

    def _writing(self) -> tantivy.IndexWriter:
        if self._writer is None:
            try:
                self._writer = self._new_writer()
            except IndexLockedError:
                # We hold the lock of the index, so this one is only a copy of it that a forked
                # child of an earlier writer has inherited: it stays with a file without a name.
                if self.folder is None:
                    raise
                tantivy_files.remove_lock(self.folder)
                self._writer = self._new_writer()
        return self._writer

    def _new_writer(self) -> tantivy.IndexWriter:
        with _tantivy(self.folder):
            # One indexing thread: the other core of a small machine computes vectors.
            return self._opened().writer(_WRITER_BYTES, 1)


def _fact_term(key: str, value: str) -> str:
    """Return the term of a fact; a key cannot run into a value: JSON text escapes U+0000."""
    term = f"{key}\0{value}"
    if len(term) < _LONGEST_FACT:
        return term
    return f"\0{hashlib.sha256(term.encode()).hexdigest()}"


def _as_vectors(rows: Sequence[Any], scores: Sequence[float]) -> tuple[IntVector, FloatVector]:
    return np.asarray(rows, dtype=np.int64), np.asarray(scores, dtype=np.float32)


def _part(explanation: dict[str, Any], start: str) -> dict[str, Any]:
    """Return the factor of an explained score whose description starts so."""
    parts: list[dict[str, Any]] = explanation["details"]
    return next(part for part in parts if part["description"].startswith(start))
