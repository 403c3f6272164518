"""Index: documents in, ranked hits out."""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from konayuki.choices import MODES, Mode
from konayuki.errors import IndexFormatError, IndexLockedError, InputError, NotFoundError
from konayuki.files import FileLock, make_folder, replace_file
from konayuki.progress import track
from konayuki.search.derived import Derived
from konayuki.search.document import Document, is_writable, read_document, read_filter
from konayuki.search.documents import Documents, Source
from konayuki.search.encoder import Encoder
from konayuki.search.hits import Hit, as_hits
from konayuki.search.prepared import prepared
from konayuki.search.ranking import Question, Ranked, View, leading
from konayuki.search.scan import quantize
from konayuki.search.settings import FORMAT_VERSION, as_json, check_model, checked, settings_of

_BATCH_DOCUMENTS = 2048
_BATCH_CHARACTERS = 4_000_000
_PUBLISH_EVERY = 100_000
_ATTEMPTS = 20
_PATIENCE_S = 10.0


class Index:
    """Documents in a folder, found by words and by meaning.

    Any number of threads and processes may search; one `Index` at a time may write, which takes
    the writer lock with its first write and holds it until `close`. A search sees one committed
    state: all of a batch or nothing of it.
    """

    def __init__(
        self, folder: Path, documents: Documents, derived: Derived, model: Encoder
    ) -> None:
        self._folder = folder
        self._documents = documents
        self._derived = derived
        self._model = model
        self._lock = FileLock(folder / "writer.lock", self._locked)
        self._process = os.getpid()
        self._writing = threading.RLock()
        self._refreshing = threading.Lock()
        self._settled = False
        self._closed = False
        self._view: View

    @classmethod
    def create(cls, path: str | Path, model: Encoder | None = None) -> "Index":
        """Make an empty index in a folder that does not exist yet, or is empty.

        Args:
            path: The folder.
            model: What turns texts into vectors; the bundled model by default.

        Raises:
            InputError: Something is already there.
        """
        folder = Path(path)
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(
                f"{folder} already exists: expected a new or an empty folder\n"
                "hint: choose another folder; an existing index is opened, not created"
            )
        model = _bundled() if model is None else model
        make_folder(folder)
        settings = settings_of(model)
        # Written under another name first: a folder with documents.db is a whole index.
        Documents.create(folder / "documents.new", settings).close()
        (folder / "documents.new").rename(folder / "documents.db")
        replace_file(folder / "index.json", as_json(settings))
        return cls.open(folder, model)

    @classmethod
    def open(cls, path: str | Path, model: Encoder | None = None) -> "Index":
        """Open an index; what is derived from its documents is completed or rebuilt where needed.

        Args:
            path: The folder.
            model: The model that it was made with; the bundled model by default.

        Raises:
            NotFoundError: There is no index.
            IndexFormatError: A file cannot be used; the message names it.
            ModelMismatchError: The index was made with another model.
        """
        folder = Path(path)
        if not (folder / "documents.db").is_file():
            raise NotFoundError(
                f"{folder / 'documents.db'} is not there: expected the documents of an index\n"
                f"hint: konayuki index FILES --out {folder}"
            )
        documents = Documents(folder / "documents.db")
        try:
            settings = checked(documents.settings(), folder)
            model = _bundled() if model is None else model
            check_model(settings, settings_of(model), folder)
            index = cls(folder, documents, Derived(folder, documents, model.dim), model)
            index._load(settings)
        except BaseException:
            documents.close()
            raise
        return index

    def add(self, records: Iterable[Mapping[str, Any]], *, show_progress: bool = False) -> int:
        """Store documents; one with an id that is there replaces it.

        Records are taken in batches, so a generator of any length works in bounded memory. When
        `add` returns, everything is on disk and found by the next search.

        Args:
            records: Mappings with `id` and `text`, and optionally `title`, `metadata`, `heading`,
                `chunk_of` and `position`.
            show_progress: Draw a bar where stderr is a terminal.

        Returns:
            The number of records that were taken in.

        Raises:
            InputError: A record cannot be used; batches before its own stay stored.
            IndexLockedError: Another writer holds the index.
        """
        if isinstance(records, Mapping | str | bytes):
            raise InputError(
                f"records is a {type(records).__name__}: expected an iterable of mappings\n"
                'hint: index.add([{"id": "1", "text": "…"}])'
            )
        self._check_process()
        n_records = n_waiting = 0
        try:
            items = track(records, "index", unit=" documents", enabled=show_progress)
            for batch in _batches(items):
                with self._writing:
                    self._store(batch)
                n_records += len(batch)
                n_waiting += len(batch)
                if n_waiting >= _PUBLISH_EVERY:
                    self._publish()
                    n_waiting = 0
        finally:
            if n_waiting:
                self._publish()
        return n_records

    def delete(self, ids: Iterable[str], *, chunks: bool = True) -> int:
        """Remove documents by id.

        Args:
            ids: Keys of documents.
            chunks: Also remove the passages that were cut from documents with these keys.

        Returns:
            The number of documents that were removed; ids that are not there count for nothing.

        Raises:
            InputError: `ids` is a string, or holds something else than strings.
            IndexLockedError: Another writer holds the index.
        """
        if isinstance(ids, str):
            raise InputError(f"ids is the string {ids!r}: expected a list of ids\nhint: [{ids!r}]")
        keys = list(ids)
        for key in keys:
            if not isinstance(key, str):
                raise InputError(f"id {key!r} is a {type(key).__name__}: expected a string")
        keys = [key for key in keys if is_writable(key)]
        self._check_process()
        with self._writing:
            self._begin_writing()
            _, n_dead = self._documents.end(keys, chunks=chunks)
            self._publish()
        return n_dead

    def search(
        self,
        query: str,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """Return the best `k` documents, best first; equal scores are ordered by id.

        Args:
            query: A question or a few words; an empty one finds nothing.
            k: How many hits; fewer where the index holds fewer, or in mode "lexical" where fewer
                match. A document without a token that the model knows is found by words only.
            mode: "hybrid", "dense" (meaning alone) or "lexical" (words alone).
            where: Metadata that a hit must have: `{"lang": "ja", "year": [2023, 2024]}`. A list
                means any of its values; metadata that is itself a list matches by any member.

        Raises:
            InputError: An argument cannot be used.
        """
        _check_search(query, k, mode)
        wanted = read_filter(where)
        self._check_open()
        query = prepared(query)
        if k == 0 or not query.strip():
            return []
        vector = None if mode == "lexical" else self._model.encode([query])[0]
        for attempt in range(_ATTEMPTS):
            view = self._current(force=attempt > 0)
            question = Question(query, vector, wanted, self._allowed(wanted, mode))
            n_wanted = min(k, len(view.vectors))
            ranked = leading(_rank(view, question, n_wanted, mode), n_wanted)
            documents = self._documents.by_row([line.row for line in ranked])
            # The dead of this view may have been removed meanwhile: then a newer one is there.
            if self._documents.clock().purged <= view.generation:
                return as_hits(ranked, documents)[:k]
        raise IndexFormatError(f"{self._folder}: the index changes faster than it can be read")

    def get(self, identity: str) -> Document | None:
        """Return the document with this id, None where there is none."""
        self._check_open()
        return self._documents.get(identity) if is_writable(identity) else None

    def ids(self, where: Mapping[str, Any]) -> list[str]:
        """Return the ids of the documents whose metadata satisfies a filter, as in `search`.

        Raises:
            InputError: The filter cannot be used.
        """
        self._check_open()
        wanted = read_filter(where)
        return self._documents.ids_of(self._documents.matching(wanted)) if wanted else []

    def metadata_of(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the metadata of those documents that are there, by id."""
        self._check_open()
        return self._documents.metadata_of([key for key in ids if is_writable(key)])

    def sources(self) -> dict[str, Source]:
        """Return the files that were indexed, by the path that they were named with."""
        self._check_open()
        return self._documents.sources()

    def remember_sources(self, sources: Mapping[str, Source | None]) -> None:
        """Note files, so that an update can skip those that did not change; None forgets one.

        Raises:
            IndexLockedError: Another writer holds the index.
        """
        self._check_process()
        with self._writing:
            self._check_open()
            self._lock.acquire()
            self._documents.remember_sources(sources)

    def __len__(self) -> int:
        """Return the number of documents."""
        self._check_open()
        return len(self._current().vectors)

    def __contains__(self, identity: object) -> bool:
        """Whether a document with this id is there."""
        return isinstance(identity, str) and self.get(identity) is not None

    def info(self) -> dict[str, Any]:
        """Return what the index is, as values that JSON can hold."""
        view = self._current()
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return {
            "path": str(self._folder),
            "documents": len(view.vectors),
            "generation": view.generation,
            "dim": self._model.dim,
            "model": self._model.fingerprint,
            "format_version": FORMAT_VERSION,
            "bytes": sum(path.stat().st_size for path in files),
        }

    def close(self) -> None:
        """Let the files and the writer lock go; what was added is already on disk."""
        if os.getpid() != self._process:  # the parent still uses what a forked child would close
            self._closed = True
            return
        with self._writing:
            if not self._closed:
                self._closed = True
                self._derived.close()
                self._documents.close()
                self._lock.release()

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

    def _load(self, settings: Mapping[str, str]) -> None:
        """Open the derived parts; complete or rebuild them unless another writer is at work."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            damage = self._try_view()
            if damage is None and self._view.generation == self._documents.clock().generation:
                return
            try:
                self._lock.acquire()
            except IndexLockedError:
                if damage is None:  # the other writer is about to publish: its last state is whole
                    return
                if time.monotonic() > deadline:
                    raise damage from None
                time.sleep(0.05)
                continue
            self._repair(settings)
            return

    def _try_view(self) -> IndexFormatError | None:
        try:
            self._derived.open()
            self._view = self._derived.view()
        except IndexFormatError as error:
            return error
        return None

    def _repair(self, settings: Mapping[str, str]) -> None:
        try:
            replace_file(self._folder / "index.json", as_json(settings))
            self._derived.repair()
            self._view = self._derived.view()
        finally:
            self._derived.rest()
            self._lock.release()

    def _begin_writing(self) -> None:
        """Become the writer, and after an interrupted write make the derived parts whole."""
        self._check_open()
        self._lock.acquire()
        if not self._settled:
            self._derived.resume()
            self._settled = True

    def _store(self, batch: Sequence[Document]) -> None:
        self._begin_writing()
        latest = list({document.id: document for document in batch}.values())
        vectors = self._model.encode([document.searched_text for document in latest])
        codes = [row.tobytes() for row in quantize(vectors)]
        _, rows = self._documents.store(latest, codes)
        self._settled = False
        self._derived.take(rows, latest, codes)
        self._settled = True

    def _publish(self) -> None:
        with self._writing:
            self._settled = False
            self._derived.publish(self._documents.clock().generation)
            self._derived.purge()
            self._settled = True
            self._current(force=True)

    def _current(self, *, force: bool = False) -> View:
        """Return the newest published view; one thread renews it, others go on with the old."""
        if not force and self._derived.version() == self._view.version:
            return self._view
        if self._refreshing.acquire(blocking=force):
            try:
                self._view = self._derived.view()
            except IndexFormatError:  # another process is rebuilding: its last state still answers
                if force:
                    raise
            finally:
                self._refreshing.release()
        return self._view

    def _allowed(
        self, wanted: Sequence[tuple[str, Sequence[str]]], mode: Mode
    ) -> "np.ndarray[Any, np.dtype[np.int64]] | None":
        if not wanted or mode == "lexical":
            return None
        return np.asarray(self._documents.matching(wanted), dtype=np.int64)

    def _locked(self, holder: str) -> IndexLockedError:
        return IndexLockedError(
            f"{self._folder}: process {holder} is writing to this index: expected no other writer\n"
            "hint: searching is possible meanwhile; close the other Index to write from here"
        )

    def _check_process(self) -> None:
        """Refuse to write in a forked child: the threads that write stayed with the parent."""
        if os.getpid() != self._process:
            raise IndexLockedError(
                f"{self._folder}: process {self._process} opened this Index: it cannot write "
                f"in the child {os.getpid()}\nhint: call Index.open in the child"
            )

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(
                f"{self._folder}: the index is closed\nhint: Index.open opens it again"
            )


def _rank(view: View, question: Question, k: int, mode: Mode) -> list[Ranked]:
    if mode == "lexical":
        return view.lexically(question, k)
    if mode == "dense":
        return view.densely(question, k)
    return view.both_ways(question, k)


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


def _check_search(query: object, k: object, mode: object) -> None:
    if not isinstance(query, str):
        raise InputError(f"query is a {type(query).__name__}: expected a string")
    if not is_writable(query):
        raise InputError(f"query {query!r} holds a lone surrogate: expected text for UTF-8")
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise InputError(f"k is {k!r}: expected a whole number from 0")
    if mode not in MODES:
        raise InputError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")


def _bundled() -> Encoder:
    from konayuki.model import StaticModel

    return StaticModel.load()
