"""The folder of an index: who writes, what is repaired, and the state that searches see."""

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from konayuki.errors import (
    IndexFormatError,
    IndexLockedError,
    InputError,
    KonayukiError,
    ReadOnlyError,
)
from konayuki.files import FileLock, file_rights, read_regular, replace_file, replacing
from konayuki.model.dtypes import quantize_vectors
from konayuki.search.derived import Derived
from konayuki.search.document import Document
from konayuki.search.documents import Change, Documents, Filter
from konayuki.search.encoder import Encoder
from konayuki.search.failures import creation_failure, failure
from konayuki.search.notes import Source
from konayuki.search.ranking import View
from konayuki.search.settings import (
    as_json,
    check_model,
    checked,
    index_id,
    settings_of,
    upgraded,
)

logger = logging.getLogger(__name__)

_BATCH = 2048  # texts that are encoded at a time
_PUBLISH_EVERY = 100_000
_PATIENCE_S = 10.0
# What a creation that was killed may leave, also one of an earlier version.
_LEFTOVER = re.compile(
    r"(?:documents\.new|\.documents\.[0-9a-f]{12}\.partial\.db)(?:-journal|-wal|-shm)?"
)
_LOCK = "writer.lock"


class Store:
    """An open index folder.

    Attributes:
        folder: The folder.
        documents: Its documents.
        model: What turns texts into vectors.
        read_only: Whether nothing may be changed.
    """

    def __init__(
        self, folder: Path, documents: Documents, model: Encoder, *, read_only: bool
    ) -> None:
        settings = checked(documents.settings(), folder)
        check_model(settings, model, folder)
        self.folder = folder
        self.documents = documents
        self.model = model
        self.read_only = read_only
        self._index_id = index_id(settings)
        self._derived = Derived(folder, documents, model, self._index_id, mirrored=read_only)
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._lock = _lock_of(folder)
        self._process = os.getpid()
        self._writing = threading.RLock()
        self._refreshing = threading.Lock()
        self._bulk = threading.local()
        self._n_unpublished = 0
        self._closed = False
        self._view: View

    @classmethod
    def create(cls, folder: Path, model: Encoder) -> None:
        """Make an empty index, see `Index.create`."""
        _check_vacant(folder)
        settings = settings_of(model)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            lock = _lock_of(folder)
            lock.acquire()  # one creation at a time
            try:
                for leftover in _check_vacant(folder):
                    leftover.unlink(missing_ok=True)
                rights = file_rights(folder)
                # Written under another name: a folder with documents.db is a whole index.
                with replacing(folder / "documents.db") as temporary:
                    Documents.create(temporary, settings, rights).close()
                replace_file(folder / "index.json", as_json(settings), rights)
            finally:
                lock.release()
        except OSError as error:
            raise creation_failure(folder, error) from error

    @classmethod
    def open(cls, folder: Path, model: Encoder, *, read_only: bool) -> "Store":
        """Open an index, see `Index.open`."""
        read_only = read_only or not _may_write(folder)
        documents = Documents(folder / "documents.db", read_only=read_only)
        try:
            store = cls(folder, documents, model, read_only=read_only)
            try:
                store._load()
            except BaseException:
                store._derived.close()
                if store._private is not None:
                    store._private.cleanup()
                raise
        except BaseException:
            documents.close()
            raise
        return store

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Show what this thread writes in the block when the block ends, see `Index.bulk`."""
        self._bulk.depth = getattr(self._bulk, "depth", 0) + 1
        try:
            yield
        finally:
            self._bulk.depth -= 1
            if self._n_unpublished and not self._bulk.depth:
                self._publish()

    def write(
        self,
        documents: Sequence[Document],
        *,
        ids: Sequence[str] = (),
        chunks: bool = False,
        conditions: Filter | None = None,
        sources: Mapping[str, Source | None] | None = None,
    ) -> int:
        """Store one change and let the derived parts take it in; return how many were removed."""
        latest = list({document.id: document for document in documents}.values())
        codes = self._codes(latest)
        change = Change(latest, codes, ids, chunks, conditions, sources or {})
        with self._writing:
            self.check_open()
            self._acquire()
            self._derived.settle(self._index_id)
            written = self.documents.write(change, after=self._derived.commit)
            if written.clock.commit != self._derived.commit:
                self._derived.take(written.rows, latest, codes, written.clock)
                self._n_unpublished += max(1, len(latest))
                if self._n_unpublished >= _PUBLISH_EVERY:
                    self._publish()
        return written.n_removed

    def lock(self) -> None:
        """Become the writer, see `Index.lock`."""
        with self._writing:
            self.check_open()
            self._acquire()

    def remember_note(self, name: str, text: str) -> None:
        """Store a note about the index, see `Index.remember_note`."""
        with self._writing:
            self.check_open()
            self._acquire()
            self.documents.remember_note(name, text)

    def current(self, *, force: bool = False) -> View:
        """Return the newest published view; one thread renews it, others go on with the old."""
        is_newest = self._derived.version() == self._view.version
        if self._private is not None:
            is_newest = self.documents.clock().commit == self._derived.commit
        if not force and is_newest:
            return self._view
        if self._refreshing.acquire(blocking=force):
            try:
                if self._private is not None:
                    self._derived.settle(self._index_id)
                self._view = self._derived.view()
            except IndexFormatError:  # another process is rebuilding: its last state still answers
                if force:
                    raise
            finally:
                self._refreshing.release()
        return self._view

    def check_writable(self) -> None:
        """Refuse to write to what may only be read, and in a forked child.

        The threads that write stayed with the parent.
        """
        self.check_open()
        if self.read_only:
            raise ReadOnlyError(
                f"{self.folder}: opened for reading only: expected an index to write to\n"
                "hint: Index.open(path) writes if the system lets us write to the folder"
            )
        if os.getpid() != self._process:
            raise IndexLockedError(
                f"{self.folder}: process {self._process} opened this Index: it cannot write "
                f"in the child {os.getpid()}\nhint: call Index.open in the child"
            )

    def check_open(self) -> None:
        """Raise `InputError` if the index is closed."""
        if self._closed:
            raise InputError(f"{self.folder}: the index is closed\nhint: Index.open opens it again")

    def close(self) -> None:
        """Let the files and the writer lock go, see `Index.close`."""
        if os.getpid() != self._process:  # the parent still uses what a forked child would close
            self._closed = True
            return
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                if self._lock.held:
                    self.documents.erase()
            except KonayukiError as error:  # a full disk must not keep anybody from closing
                logger.info("deleted documents were not overwritten: %s", error)
            finally:
                self._derived.close()
                self.documents.tidy()
                self.documents.close()
                self._lock.release()
                if self._private is not None:
                    self._private.cleanup()

    def _load(self) -> None:
        """Open the derived parts; complete or rebuild them unless another writer is at work."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            damage: IndexFormatError | None = None
            try:
                self._view = self._derived.open()
            except IndexFormatError as error:
                damage = error
            is_current = damage is None and (
                self._view.generation == self.documents.clock().generation
            )
            if is_current and (self.read_only or not self._derived.has_old_terms):
                break
            if self.read_only:
                if damage is not None or not self._lock.is_taken():
                    self._rebuild_privately(damage)
                break
            try:
                self._acquire()
            except IndexLockedError:
                if damage is None:  # the other writer is about to publish: its last state is whole
                    break
                if time.monotonic() > deadline:
                    raise damage from None
                time.sleep(0.05)
                continue
            self._repair()
            break
        if self._derived.has_old_terms:
            logger.warning(
                "%s: made with another version of the analyser: some words may find less\n"
                "hint: Index.open indexes the terms again when it may write",
                self.folder,
            )

    def _repair(self) -> None:
        try:
            self._derived.repair(self._index_id)
            self._view = self._derived.view()
        finally:
            self._derived.finish_merges()
            self._lock.release()

    def _rebuild_privately(self, damage: IndexFormatError | None) -> None:
        """Make the derived parts in a temporary folder, which catches up with later writes."""
        logger.warning(
            "%s: rebuilding in a temporary folder, for nothing may be written here: %s",
            self.folder, damage or "it does not hold the last writes",
        )  # fmt: skip
        self._derived.close()
        self._private = tempfile.TemporaryDirectory(prefix="konayuki-")
        folder = Path(self._private.name)
        self._derived = Derived(folder, self.documents, self.model, self._index_id)
        self._derived.repair(self._index_id)
        self._view = self._derived.view()

    def _acquire(self) -> None:
        """Become the writer; bring the settings up to date if an earlier version wrote them."""
        had_lock = self._lock.held
        try:
            self._lock.acquire()
            if had_lock:
                return
            settings = checked(self.documents.settings(), self.folder)
            current = upgraded(settings)
            if current != settings:
                self.documents.upgrade(current)
            self._index_id = index_id(current)
            path, content = self.folder / "index.json", as_json(current)
            try:
                is_current = read_regular(path) == content
            except OSError:
                is_current = False
            if not is_current:
                replace_file(path, content, file_rights(self.folder))
        except OSError as error:
            raise failure(self.folder / _LOCK, error) from error

    def _codes(self, documents: Sequence[Document]) -> list[bytes]:
        """Return the int8 vector of each document, as bytes."""
        codes: list[bytes] = []
        texts = (document.embedded_text for document in documents)
        while batch := list(islice(texts, _BATCH)):
            codes.extend(
                row.tobytes() for row in quantize_vectors(self.model.encode(batch), "int8")
            )
        return codes

    def _publish(self) -> None:
        with self._writing:
            self._derived.settle(self._index_id)
            self._derived.publish()
            self._n_unpublished = 0
            self.current(force=True)


def _lock_of(folder: Path) -> FileLock:
    return FileLock(
        folder / _LOCK,
        lambda holder: IndexLockedError(
            f"{folder}: process {holder} is writing to this index: expected no other writer\n"
            "hint: searching is possible meanwhile; close the other Index to write from here"
        ),
    )


def _may_write(folder: Path) -> bool:
    """Return whether the system lets us write to an index."""
    names = ("", "documents.db", "lexical", "vectors", "tokens")
    return all(os.access(folder / name, os.W_OK) for name in names if (folder / name).exists())


def _check_vacant(folder: Path) -> list[Path]:
    """Return what a creation that was killed left in a folder that otherwise is empty.

    Raises:
        InputError: There is something else.
    """
    paths = list(folder.iterdir()) if folder.is_dir() else []
    leftovers = [path for path in paths if _LEFTOVER.fullmatch(path.name)]
    others = [path for path in paths if path not in leftovers and path.name != _LOCK]
    if others or (not folder.is_dir() and os.path.lexists(folder)):
        raise InputError(
            f"{folder} already exists: expected a new or an empty folder\n"
            "hint: choose another folder; an existing index is opened, not created"
        )
    return leftovers
