"""Index: documents in, ranked hits out."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from konayuki.arrays import FloatVector
from konayuki.choices import Mode, Sort
from konayuki.errors import InputError, NotFoundError
from konayuki.files import reading_hint
from konayuki.progress import track
from konayuki.search.arguments import (
    check_count,
    check_per_document,
    check_records,
    check_relevance,
    check_search,
    checked_ids,
    checked_sources,
    checked_vector,
    is_key,
)
from konayuki.search.document import Document, read_document, read_filter
from konayuki.search.encoder import Encoder
from konayuki.search.notes import Source
from konayuki.search.query import Query
from konayuki.search.ranker import Candidates
from konayuki.search.ranking import Hit
from konayuki.search.searcher import Searcher, Wanted
from konayuki.search.settings import FORMAT_VERSION
from konayuki.search.store import Store
from konayuki.search.suggestions import Suggester, Suggestion

_BATCH_DOCUMENTS = 2048
_BATCH_CHARACTERS = 4_000_000


class Replaced(NamedTuple):
    """What `Index.replace` did.

    Attributes:
        stored: Documents that were stored.
        removed: Documents that went and did not come back under the same id.

    Examples:
        >>> index.replace([{"id": "tea", "text": "煎茶を淹れる。"}], ids=["miso"])
        Replaced(stored=1, removed=1)
    """

    stored: int
    removed: int


class Index:
    """Documents in a folder, found by words and by meaning.

    Any number of threads and processes may search; one `Index` at a time may write, which takes
    the writer lock with its first write and holds it until `close`. A search sees one committed
    state: all of a write or nothing of it.

    Examples:
        >>> with Index.create("cats.konayuki") as cats:
        ...     cats.add([{"id": "1", "text": "猫は魚が好きだ。"}])
        ...     len(cats), "1" in cats, cats.search("魚を食べる動物")[0].id
        1
        (1, True, '1')
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.folder
        self._documents = store.documents
        self._searcher = Searcher(store)
        self._suggester = Suggester(store.documents)

    @classmethod
    def create(cls, path: str | Path, model: Encoder | None = None) -> "Index":
        """Make an empty index in a folder that does not exist yet, or is empty.

        Other users of the machine cannot look into a folder that is made; the files of an index
        in an existing folder get the rights of the folder.

        Args:
            path: The folder.
            model: What turns texts into vectors; default: the bundled model.

        Raises:
            InputError: Something exists there.
            WriteError: The system does not let us write there.

        Examples:
            >>> with Index.create("empty.konayuki") as empty:
            ...     len(empty)
            0
        """
        model = _bundled() if model is None else model
        Store.create(Path(path), model)
        return cls.open(path, model)

    @classmethod
    def open(
        cls, path: str | Path, model: Encoder | None = None, *, read_only: bool = False
    ) -> "Index":
        """Open an index; what is derived from its documents is completed or rebuilt if needed.

        Args:
            path: The folder.
            model: The model that it was made with; default: the bundled model.
            read_only: Change nothing in the folder: writing is refused, and what must be rebuilt
                is rebuilt in a temporary folder. Always so if the system does not let us write.

        Raises:
            NotFoundError: There is no index.
            IndexFormatError: A file cannot be used; the message names it.
            ModelMismatchError: The index was made with another model.

        Examples:
            >>> with Index.open("notes.konayuki", read_only=True) as notes:
            ...     len(notes), notes.read_only
            (3, True)
        """
        folder = Path(path)
        if folder.is_dir() and not os.access(folder, os.X_OK):
            raise NotFoundError(
                f"{folder}: permission denied: expected the right to look into the folder\n"
                f"{reading_hint(folder)}"
            )
        if not os.path.lexists(folder / "documents.db"):
            hint = (
                f"konayuki index {folder} --out NEW makes an index of its files"
                if folder.is_dir()
                else f"konayuki index FILES --out {folder}"
            )
            raise NotFoundError(
                f"{folder / 'documents.db'} does not exist: expected the documents of an index\n"
                f"hint: {hint}"
            )
        model = _bundled() if model is None else model
        return cls(Store.open(folder, model, read_only=read_only))

    @property
    def model(self) -> Encoder:
        """Return what turns texts into vectors."""
        return self._store.model

    @property
    def read_only(self) -> bool:
        """Whether writing is refused."""
        return self._store.read_only

    def add(
        self,
        records: Iterable[Mapping[str, Any]],
        *,
        atomic: bool = False,
        show_progress: bool = False,
    ) -> int:
        """Store documents; an existing document with the same id is replaced.

        Records are taken in batches, so a generator of any length works in bounded memory. When
        `add` returns, everything is on disk and found by the next search.

        Args:
            records: Mappings with `id` and `text`, and optionally `title`, `metadata`, `heading`,
                `chunk_of` and `position`.
            atomic: Store all of them or none, which holds all of them in memory.
            show_progress: Draw a bar if stderr is a terminal.

        Returns:
            The number of records that were taken in.

        Raises:
            InputError: A record cannot be used; batches before its own stay stored, unless
                `atomic`.
            IndexLockedError: Another writer holds the index.
            WriteError: The disk is full, or the index may only be read.

        Examples:
            >>> index.add([{"id": "tea", "text": "煎茶を淹れる。", "metadata": {"kind": "料理"}}])
            1
            >>> index.add({"id": f"day-{n}", "text": f"{n}日目の日記"} for n in range(1000))
            1000
        """
        items: Iterable[Mapping[str, Any]] = check_records(records)
        if show_progress:
            items = track(items, "index", unit=" documents")
        if atomic:
            return self.replace(items).stored
        self._store.check_writable()
        n_records = 0
        with self.bulk():
            for batch in _batches(items):
                self._store.write(batch)
                n_records += len(batch)
        return n_records

    def replace(
        self,
        records: Iterable[Mapping[str, Any]],
        *,
        ids: Iterable[str] = (),
        where: Mapping[str, Any] | None = None,
        sources: Mapping[str, Source | None] | None = None,
    ) -> Replaced:
        """In one step, remove documents, store others and note files: all of it or nothing.

        No search sees a state between, and none is left if the process is killed. All records are
        held in memory.

        Args:
            records: What to store, as for `add`; may be empty.
            ids: Keys of documents that go.
            where: The documents with this metadata go, as in `search`; None for none of them.
            sources: Files to note, see `remember_sources`.

        Returns:
            How many were stored, and how many went for good.

        Raises:
            InputError: A record or another argument cannot be used; nothing is changed.
            IndexLockedError: Another writer holds the index.
            WriteError: The disk is full, or the index may only be read.

        Examples:
            >>> pages = [{"id": "a#0", "text": "新しい本文", "metadata": {"path": "a.md"}}]
            >>> index.replace(pages, where={"path": "a.md"})
            Replaced(stored=1, removed=0)
        """
        conditions = None if where is None else read_filter(where)
        if conditions == ():
            raise InputError(
                "where is empty: expected at least one key\nhint: {} would remove every document"
            )
        keys = checked_ids(ids)
        sources = checked_sources({} if sources is None else sources)
        numbered = enumerate(check_records(records))
        documents = [read_document(record, number) for number, record in numbered]
        self._store.check_writable()
        with self.bulk():
            n_removed = self._store.write(
                documents, ids=keys, conditions=conditions, sources=sources
            )
        return Replaced(len(documents), n_removed)

    def delete(self, ids: Iterable[str], *, chunks: bool = True) -> int:
        """Remove documents by id.

        Args:
            ids: Keys of documents.
            chunks: Also remove the passages that were cut from documents with these keys.

        Returns:
            The number of documents that were removed; unknown ids count for nothing.

        Raises:
            InputError: `ids` is a string, or holds something else than strings.
            IndexLockedError: Another writer holds the index.
            WriteError: The disk is full, or the index may only be read.

        Examples:
            >>> index.delete(["miso", "unknown"])
            1
            >>> "miso" in index
            False
        """
        keys = checked_ids(ids)
        self._store.check_writable()
        with self.bulk():
            return self._store.write((), ids=keys, chunks=chunks)

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Show what this thread writes in the block when the block ends, not after each write.

        Making a write visible costs more than storing it. Every write is still one transaction
        and on disk when its call returns: if the process is killed, opening the index shows it.
        Long blocks are shown in parts of 100,000 documents.

        Examples:
            >>> with index.bulk():
            ...     for number in range(3):
            ...         _ = index.add([{"id": f"log-{number}", "text": f"{number}番目の記録"}])
            >>> len(index)
            6
        """
        with self._store.bulk():
            yield

    def search(
        self,
        query: str | Query,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        *,
        min_relevance: float = 0.0,
        distinct: bool | None = None,
        per_document: int | None = None,
        rerank: bool = True,
        sort: Sort = "score",
    ) -> list[Hit]:
        """Return the best `k` documents, best first; equal scores are ordered by id.

        Args:
            query: A question or a few words; an empty one finds nothing. A string is text,
                whatever it holds; `Query.parse` reads phrases, exclusions and filters from it. A
                query with nothing but those finds all that satisfy them, the newest first.
            k: How many hits; fewer if the index holds fewer, or in mode "lexical" if fewer match.
                A document without a token that the model knows is found by words only.
            mode: "hybrid", "dense" (meaning alone) or "lexical" (words alone).
            where: Metadata that a hit must have: `{"lang": "ja", "year": [2023, 2024]}`. A list
                means any of its values; metadata that is itself a list matches by any member.
            min_relevance: Leave out hits that are less relevant, from 0 to 1.
            distinct: Of passages with the same title, heading and text, show only the first.
                Default: if there is a second look; a plain ranking shows all.
            per_document: At most this many passages of one document (`Hit.document`). Default: all.
            rerank: Look at the best candidates a second time, token by token, in mode "hybrid".
                Without it, or with a model that has no rows of tokens, the score is the cosine and
                what the words add to it, and hits have no relevance.
            sort: "date" shows the newest first: of all that hold every word of the query, and of
                the 100 best that may be answers. In mode "dense" it orders the `k` best.

        Words of the query are also found under other spellings (とうきょう in 東京), for less.

        Raises:
            InputError: An argument cannot be used, or there is a `min_relevance` and the index may
                only be read and lacks the tokens for a second look.

        Examples:
            >>> hit = index.search("国内最高峰はどこ？", k=1)[0]
            >>> hit.id, hit.title, hit.text
            ('fuji', '富士山', '標高は3776メートルで、日本でいちばん高い山である。')
            >>> [hit.id for hit in index.search("日本でいちばん", where={"kind": ["湖", "川"]})]
            ['biwa']
            >>> index.search("いちばん大きな湖", min_relevance=0.1)[0].id
            'biwa'
        """
        check_search(query, k, mode, sort)
        has_relevance = rerank and mode == "hybrid" and self._searcher.ranker is not None
        check_relevance(min_relevance, has_relevance=has_relevance)
        check_per_document(per_document)
        self._store.check_open()
        wanted = Wanted(
            k=k,
            mode=mode,
            where=() if where is None else read_filter(where),
            min_relevance=min_relevance,
            distinct=has_relevance if distinct is None else distinct,
            per_document=per_document,
            rerank=rerank,
            sort=sort,
        )
        return self._searcher.search(query if isinstance(query, Query) else Query(query), wanted)

    def similar(
        self,
        identity: str,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        *,
        same_document: bool = False,
    ) -> list[Hit]:
        """Return the documents that are most like another one, best first, by words and meaning.

        Args:
            identity: The id of a document or passage, such as that of a hit.
            k: How many hits.
            where: Metadata that a hit must have, as in `search`.
            same_document: Whether other passages of its own document may be among them.

        Raises:
            NotFoundError: There is no such document.
            InputError: An argument cannot be used.

        Examples:
            >>> index.similar("fuji", k=1)[0].id
            'biwa'
        """
        check_count(k)
        conditions = read_filter(where)
        self._store.check_open()
        if not is_key(identity):
            raise InputError(f"id is {identity!r}: expected the id of a document")
        return self._searcher.similar(identity, k, conditions, same_document=same_document)

    def nearest(
        self,
        vector: FloatVector | Sequence[float],
        k: int = 10,
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """Return the documents whose vectors are nearest, best first; their score is the cosine.

        Args:
            vector: float32 (dim,), as the model of the index makes it; of any length.
            k: How many hits.
            where: Metadata that a hit must have, as in `search`.

        Raises:
            InputError: An argument cannot be used.

        Examples:
            >>> index.nearest(index.model.encode("日本でいちばん高い山"), k=1)[0].id
            'fuji'
        """
        check_count(k)
        conditions = read_filter(where)
        self._store.check_open()
        return self._searcher.nearest(checked_vector(vector, self._store.model.dim), k, conditions)

    def suggest(self, prefix: str, k: int = 8) -> list[Suggestion]:
        """Return ways in which a query may go on: the likeliest first.

        They come from titles, headings and frequent words of the index, and behind `tag:`, `path:`
        and `kind:` from tags, folders and kinds of files. Width, case and the kind of kana make no
        difference. The first call after a write reads the index, which takes some hundred
        milliseconds for 100,000 passages.

        Args:
            prefix: What was typed so far.
            k: How many.

        Raises:
            InputError: An argument cannot be used.

        Examples:
            >>> [suggestion.text for suggestion in index.suggest("富士")]
            ['富士山']
        """
        check_search(prefix, k, "hybrid")
        self._store.check_open()
        return self._suggester.suggest(self._store.current(), prefix, k)

    def get(self, identity: str) -> Document | None:
        """Return the document with this id, or None.

        Examples:
            >>> index.get("biwa").metadata["kind"]
            '湖'
            >>> index.get("unknown") is None
            True
        """
        self._store.check_open()
        return self._documents.get(identity) if is_key(identity) else None

    def documents(self) -> Iterator[Document]:
        """Yield all documents of the newest generation, in the order in which they were stored.

        One that is removed meanwhile may be among them.

        Examples:
            >>> "fuji" in [document.id for document in index.documents()]
            True
        """
        self._store.check_open()
        view = self._store.current()
        living = view.vectors.rows[view.vectors.living(view.vectors.rows)].tolist()
        for start in range(0, len(living), _BATCH_DOCUMENTS):
            rows = living[start : start + _BATCH_DOCUMENTS]
            by_row = self._documents.by_row(rows)
            yield from (by_row[row] for row in rows if row in by_row)

    def ids(self, where: Mapping[str, Any]) -> list[str]:
        """Return the ids of the documents whose metadata satisfies a filter, as in `search`.

        Raises:
            InputError: The filter cannot be used.

        Examples:
            >>> index.ids({"places": "滋賀"})
            ['biwa']
        """
        self._store.check_open()
        conditions = read_filter(where)
        return self._documents.ids_of(self._documents.matching(conditions)) if conditions else []

    def values(self, key: str) -> list[Any]:
        """Return the different scalars that documents have under a metadata key.

        Members of lists count as values of their own.

        Examples:
            >>> index.values("places")
            ['山梨', '滋賀', '静岡']
        """
        self._store.check_open()
        return self._documents.values(key) if is_key(key) else []

    def metadata_of(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the metadata of the existing documents among these, by id.

        Examples:
            >>> index.metadata_of(["biwa", "unknown"])
            {'biwa': {'kind': '湖', 'places': ['滋賀']}}
        """
        self._store.check_open()
        return self._documents.metadata_of([key for key in ids if is_key(key)])

    def sources(self) -> dict[str, Source]:
        """Return the files that were indexed, by the path that they were named with.

        Examples:
            >>> from konayuki.ingest import update
            >>> _ = Path("memo.txt").write_text("牛乳を買う。", encoding="utf-8")
            >>> _ = update(index, ["memo.txt"])
            >>> list(index.sources())
            ['memo.txt']
        """
        self._store.check_open()
        return self._documents.sources()

    def remember_sources(self, sources: Mapping[str, Source | None]) -> None:
        """Note files, so that an update can skip those that did not change; None forgets one.

        Raises:
            InputError: A path is not text that UTF-8 can write, or its value not a `Source`.
            IndexLockedError: Another writer holds the index.
            WriteError: The disk is full, or the index may only be read.

        Examples:
            >>> from konayuki.search import Source
            >>> index.remember_sources({"a.md": Source(digest="9f86d081")})
            >>> index.sources()["a.md"].digest
            '9f86d081'
            >>> index.remember_sources({"a.md": None})
            >>> index.sources()
            {}
        """
        self._store.check_writable()
        self._store.write((), sources=checked_sources(sources))

    def lock(self) -> None:
        """Take the writer lock now instead of with the first write; `close` gives it back.

        Raises:
            IndexLockedError: Another writer holds the index.
            WriteError: The index may only be read.

        Examples:
            >>> index.lock()
            >>> index.add([{"id": "new", "text": "新しい文書"}])
            1
        """
        self._store.check_writable()
        self._store.lock()

    def note(self, name: str) -> str:
        """Return what was noted about the index under a name, "" for nothing.

        Examples:
            >>> index.note("owner")
            ''
        """
        self._store.check_open()
        return self._documents.note(name)

    def remember_note(self, name: str, text: str) -> None:
        """Note something about the index as a whole, such as what its last update left out.

        Examples:
            >>> index.remember_note("of", "notes of the mountains")
            >>> index.note("of")
            'notes of the mountains'

        Raises:
            IndexLockedError: Another writer holds the index.
            WriteError: The disk is full, or the index may only be read.

        Examples:
            >>> index.remember_note("owner", "図書係")
            >>> index.note("owner")
            '図書係'
        """
        self._store.check_writable()
        self._store.remember_note(name, text)

    def __len__(self) -> int:
        """Return the number of documents."""
        self._store.check_open()
        return len(self._store.current().vectors)

    def __contains__(self, identity: object) -> bool:
        """Return whether a document with this id exists."""
        return isinstance(identity, str) and self.get(identity) is not None

    def info(self) -> dict[str, Any]:
        """Return what the index is, as values that JSON can hold.

        Examples:
            >>> facts = index.info()
            >>> facts["documents"], facts["dim"], facts["read_only"]
            (3, 512, False)
        """
        self._store.check_open()
        view = self._store.current()
        settings = self._documents.settings()
        n_bytes = 0
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # a writer removes files meanwhile
                n_bytes += path.lstat().st_size if path.is_file() else 0
        return {
            "path": str(self._folder),
            "documents": len(view.vectors),
            "generation": view.generation,
            "dim": self._store.model.dim,
            "model": self._store.model.fingerprint,
            "format_version": int(settings.get("format_version", FORMAT_VERSION)),
            "analyzer_version": int(settings.get("analyzer_version", "1")),
            "id": settings.get("index_id", ""),
            "read_only": self._store.read_only,
            "bytes": n_bytes,
        }

    def close(self) -> None:
        """Let the files and the writer lock go; what was added is already on disk.

        If this `Index` has written, the content of deleted documents is overwritten first.

        Examples:
            >>> notes = Index.open("notes.konayuki")
            >>> notes.close()
            >>> notes.search("山")
            Traceback (most recent call last):
            konayuki.errors.InputError: notes.konayuki: the index is closed
            hint: Index.open opens it again
        """
        self._store.close()

    def __enter__(self) -> "Index":
        """Return the index itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the index."""
        self.close()

    def candidates(self, query: str) -> tuple[list[str], Candidates]:
        """Return ids and features of what a second look at a question compares, for learning.

        Raises:
            InputError: The model has no rows of tokens, or the question cannot be used.

        Examples:
            >>> ids, features = index.candidates("いちばん高い山")
            >>> ids[0], features.dense.shape == (len(ids),)
            ('fuji', True)
        """
        check_search(query, 0, "hybrid")
        self._store.check_open()
        return self._searcher.candidates(query)


def _batches(records: Iterable[object]) -> Iterator[list[Document]]:
    """Yield checked documents, bounded in number and in characters."""
    batch: list[Document] = []
    n_characters = 0
    for number, record in enumerate(records):
        document = read_document(record, number)
        batch.append(document)
        n_characters += len(document.text)
        if len(batch) == _BATCH_DOCUMENTS or n_characters >= _BATCH_CHARACTERS:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


def _bundled() -> Encoder:
    from konayuki.model import StaticModel

    return StaticModel.load()
