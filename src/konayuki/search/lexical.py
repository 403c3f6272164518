"""The lexical half: BM25 over terms in a tantivy index that knows its own generation."""

import hashlib
import json
import math
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Occur, Query

from konayuki.errors import IndexFormatError
from konayuki.search.document import Document, facts_of
from konayuki.search.terms import terms_of

Rows = NDArray[np.int64]
Filter = Sequence[tuple[str, Sequence[str]]]
_WRITER_BYTES = 128_000_000
_FOOTER_MAGIC = 1337
_MAX_QUERY_TERMS = 512
_LONGEST_FACT = 1024
_MOST_OF_A_TERM = 2.2  # k1 + 1, with the k1 of tantivy
_SUFFIXES = (".fast", ".fieldnorm", ".idx", ".pos", ".store", ".term")
_SWEPT = {*_SUFFIXES, ".del", ".temp"}


class Mark(NamedTuple):
    """What a state of the index holds: living documents of a generation, up to a row."""

    generation: int
    last_row: int


def build_schema() -> tantivy.Schema:
    """Return the fields: terms of two kinds, facts for filters, and the mark."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", indexed=True, fast=True)
    builder.add_text_field("grams", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("characters", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("facts", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("mark", indexed=True)
    builder.add_integer_field("generation", fast=True)
    builder.add_integer_field("last_row", fast=True)
    return builder.build()


class LexicalView:
    """The lexical index of one generation; never changes."""

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema) -> None:
        self._searcher = searcher
        self._schema = schema
        self.mark, self._n_counted = self._read_mark()

    def best(
        self, text: str, k: int, living: Callable[[Rows], NDArray[np.bool_]], where: Filter = ()
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the living rows that match a query best and their BM25 scores, best first.

        At least `k` of them where as many match, and every row whose score ties with the last.

        Args:
            text: The query.
            k: How many.
            living: Tells which rows live. tantivy was told of the dead, but a merge in the
                background can lose a deletion (seen with 0.27), so its word is not enough.
            where: (key, allowed values) pairs that must all hold.
        """
        query = self._query(text, where)
        if query is None or k == 0:
            return _found([], [])
        limit = k + 16
        while True:
            limit = min(limit, self._searcher.num_docs)  # tantivy reserves room for every one
            hits = self._searcher.search(query, limit, count=False).hits
            rows, scores = self._rows_of(hits)
            kept = living(rows)
            rows, scores = rows[kept], scores[kept]
            exhausted = len(hits) < limit or limit == self._searcher.num_docs
            if exhausted or (len(rows) >= k and scores[k - 1] > hits[-1][0]):
                floor = scores[min(k, len(rows)) - 1] if len(rows) else 0.0
                return rows[scores >= floor], scores[scores >= floor]
            limit *= 4

    def scores_of(self, text: str, rows: Sequence[int]) -> dict[int, float]:
        """Return the BM25 score of those rows that match a query at all."""
        query = self._query(text)
        if query is None or not rows:
            return {}
        # One query a row: a set of terms would walk the dictionary, at four times the cost.
        chosen = Query.boolean_query(
            [(Occur.Should, Query.term_query(self._schema, "row", row, "basic")) for row in rows]
        )
        query = Query.boolean_query(
            [(Occur.Must, query), (Occur.Must, Query.const_score_query(chosen, 0.0))]
        )
        found, scores = self._rows_of(self._searcher.search(query, len(rows), count=False).hits)
        return dict(zip(found.tolist(), scores.tolist(), strict=True))

    def ceiling(self, text: str) -> float:
        """Return the BM25 that no document exceeds: every term of the query without end.

        Terms that no document holds are in it too, so it is 0 only for a query without terms.
        """
        total = 0.0
        for (field, term), count in _query_terms(text):
            holding = self._searcher.doc_freq(field, term)
            idf = math.log1p((self._n_counted - holding + 0.5) / (holding + 0.5))
            total += count * idf * _MOST_OF_A_TERM
        return total

    def _query(self, text: str, where: Filter = ()) -> Query | None:
        clauses = [
            (Occur.Should, self._term(field, term, count))
            for (field, term), count in _query_terms(text)
        ]
        if not clauses:
            return None
        matching = Query.boolean_query(clauses)
        if not where:
            return matching
        return Query.boolean_query(
            [(Occur.Must, matching), *((Occur.Must, self._fact(*part)) for part in where)]
        )

    def _term(self, field: str, term: str, count: int) -> Query:
        query = Query.term_query(self._schema, field, term, "freq")
        return query if count == 1 else Query.boost_query(query, float(count))

    def _fact(self, key: str, allowed: Sequence[str]) -> Query:
        terms = [_fact_term(key, value) for value in allowed]
        return Query.const_score_query(Query.term_set_query(self._schema, "facts", terms), 0.0)

    def _rows_of(self, hits: list[tuple[Any, Any]]) -> tuple[Rows, NDArray[np.float32]]:
        addresses = [address for _, address in hits]
        rows = self._searcher.fast_field_values("row", addresses) if addresses else []
        return _found(rows, [score for score, _ in hits])

    def _read_mark(self) -> tuple[Mark, int]:
        """Return the mark, and how many documents tantivy counts for its IDF.

        It counts those deleted too, until a merge drops them, as do document frequencies; no
        method tells the number, but the explanation of a score does.
        """
        query = Query.term_query(self._schema, "mark", 1)
        hits = self._searcher.search(query, 2, count=False).hits
        if len(hits) != 1:
            raise IndexFormatError(f"{len(hits)} marks in the lexical index: expected one")
        addresses = [hits[0][1]]
        generation, last_row = (
            self._searcher.fast_field_values(name, addresses)[0]
            for name in ("generation", "last_row")
        )
        explained = json.loads(query.explain(self._searcher, addresses[0]).to_json())
        counted = _part(_part(explained, "idf,"), "N,")["value"]
        return Mark(int(generation or 0), int(last_row or 0)), int(counted)


class LexicalIndex:
    """The files behind the views."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None

    def create(self) -> None:
        """Start with no documents, in the folder or, without one, in memory."""
        if self.folder is None:
            self._index = tantivy.Index(build_schema())
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(build_schema(), path=str(self.folder), reuse=False)
        self._index.config_reader("manual")
        self.commit(Mark(0, 0))

    def open(self) -> None:
        """Open the files.

        Raises:
            IndexFormatError: They do not read.
        """
        try:
            self._index = tantivy.Index.open(str(self.folder))
            self._index.config_reader("manual")
        except (ValueError, OSError) as error:
            raise IndexFormatError(f"{self.folder}: {error}") from error

    def check(self) -> None:
        """Compare the files with the checksums in their footers.

        Raises:
            IndexFormatError: They differ, or one is missing; the message names the file.
        """
        assert self.folder is not None  # noqa: S101 - only files can be checked
        for path in _segment_files(self.folder):
            try:
                whole = _footer_holds(path.read_bytes())
            except OSError as error:
                raise IndexFormatError(f"{path}: {error}") from error
            if not whole:
                raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")

    def view(self) -> LexicalView:
        """Return the newest committed state."""
        index = self._opened()
        try:
            index.reload()
            return LexicalView(index.searcher(), index.schema)
        except (ValueError, OSError) as error:
            raise IndexFormatError(f"{self.folder}: {error}") from error

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
            writer.add_document(entry)

    def remove(self, rows: Iterable[int]) -> None:
        """Take documents out; `commit` makes it visible."""
        writer = self._writing()
        for row in rows:
            writer.delete_documents_by_term("row", row)

    def commit(self, mark: Mark) -> None:
        """Make what was added and removed visible and durable, together with its mark."""
        writer = self._writing()
        writer.delete_documents_by_term("mark", 1)
        entry = tantivy.Document()
        entry.add_integer("mark", 1)
        entry.add_integer("generation", mark.generation)
        entry.add_integer("last_row", mark.last_row)
        writer.add_document(entry)
        try:
            writer.commit()
        except (ValueError, OSError) as error:
            raise IndexFormatError(f"{self.folder}: {error}") from error

    def version(self) -> tuple[int, ...]:
        """Return something that changes whenever another process commits."""
        if self.folder is None:
            return ()
        try:
            status = (self.folder / "meta.json").stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def forget(self) -> None:
        """Drop what was added or removed since the last commit."""
        with suppress(ValueError):  # a writer that failed cannot even roll back
            if self._writer is not None:
                self._writer.rollback()
        self.rest()

    def sweep(self) -> None:
        """As the only writer: remove files that no commit speaks of, left by a killed one.

        tantivy would stumble over them when it comes to write a file of the same name.
        """
        assert self.folder is not None  # noqa: S101 - ours: only files can be swept
        known = {path.name for path in _segment_files(self.folder)}
        for path in self.folder.iterdir():
            left = path.suffix in _SWEPT or path.name.startswith(".tmp")
            if left and path.name not in known:
                with suppress(OSError):  # still mapped, on a system that forbids removal
                    path.unlink()

    def rest(self) -> None:
        """Finish merges and let the right to write go."""
        writer, self._writer = self._writer, None
        with suppress(ValueError):  # a merge that failed changes nothing
            if writer is not None:
                writer.wait_merging_threads()

    def close(self) -> None:
        """Let the files go."""
        self.rest()
        self._index = None

    def _opened(self) -> tantivy.Index:
        assert self._index is not None  # noqa: S101 - ours: create or open comes first
        return self._index

    def _writing(self) -> tantivy.IndexWriter:
        if self._writer is None:
            # One indexing thread: the second core of a small machine computes vectors meanwhile.
            self._writer = self._opened().writer(_WRITER_BYTES, 1)
        return self._writer


def _query_terms(text: str) -> list[tuple[tuple[str, str], int]]:
    """Return the distinct (field, term) pairs of a query with their repetitions."""
    terms = terms_of(text)
    pairs = [("grams", term) for term in terms.grams]
    pairs += [("characters", term) for term in terms.lone]
    return Counter(pairs).most_common(_MAX_QUERY_TERMS)


def _fact_term(key: str, value: str) -> str:
    """Return the term of a fact; a key cannot run into a value: JSON text escapes U+0000."""
    term = f"{key}\0{value}"
    if len(term) < _LONGEST_FACT:
        return term
    return f"\0{hashlib.sha256(term.encode()).hexdigest()}"


def _found(rows: Sequence[Any], scores: Sequence[float]) -> tuple[Rows, NDArray[np.float32]]:
    return np.asarray(rows, dtype=np.int64), np.asarray(scores, dtype=np.float32)


def _part(explanation: dict[str, Any], start: str) -> dict[str, Any]:
    """Return the factor of an explained score whose description starts so."""
    parts: list[dict[str, Any]] = explanation["details"]
    return next(part for part in parts if part["description"].startswith(start))


def _segment_files(folder: Path) -> list[Path]:
    """Return every file that the current state of the index is made of."""
    path = folder / "meta.json"
    try:
        files = []
        for segment in json.loads(path.read_text("utf-8"))["segments"]:
            stem = segment["segment_id"].replace("-", "")
            files += [folder / f"{stem}{suffix}" for suffix in _SUFFIXES]
            if segment["deletes"]:
                files.append(folder / f"{stem}.{segment['deletes']['opstamp']}.del")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise IndexFormatError(f"{path}: {error}: expected the state of a tantivy index") from error
    return files


def _footer_holds(content: bytes) -> bool:
    """Whether the checksum in the footer of a tantivy file is that of its body."""
    if len(content) < 8:
        return False
    length, magic = struct.unpack("<II", content[-8:])
    if magic != _FOOTER_MAGIC or length > len(content) - 8:
        return False
    body = memoryview(content)[: -8 - length]
    try:
        checksum = json.loads(content[-8 - length : -8])["crc"]
    except (ValueError, LookupError, TypeError):
        return False
    return bool(checksum == zlib.crc32(body))
