"""The two derived parts, kept at the generation of the documents or rebuilt from them."""

import logging
import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from konayuki.errors import IndexFormatError
from konayuki.search.document import Document
from konayuki.search.documents import Documents
from konayuki.search.lexical import LexicalIndex, Mark
from konayuki.search.ranking import View
from konayuki.search.vectors import VectorFiles, VectorState

logger = logging.getLogger(__name__)

_BATCH = 4096
_ATTEMPTS = 50
# Dead rows cost every query a little; compaction rewrites every vector. Beyond this share it pays.
_DEAD_AT_LEAST = 1000
_DEAD_SHARE = 0.02


class Derived:
    """Lexical and dense files of one index.

    The vectors are always committed before the lexical part, and the mark of the lexical part
    decides which generation a view shows; vectors of later generations are left out of it.
    """

    def __init__(self, folder: Path, documents: Documents, dim: int) -> None:
        self._documents = documents
        self._dim = dim
        self._folder = folder
        self._lexical = LexicalIndex(folder / "lexical")
        self._vectors = VectorFiles(folder / "vectors")
        self._state = VectorState(dim=dim)
        self._mark = Mark(0, 0)
        self._viewing = threading.Lock()

    def open(self) -> None:
        """Open and check both parts.

        Raises:
            IndexFormatError: One of them does not read or does not fit the documents.
        """
        self._open_vectors(checked=False)
        self._open_lexical(checked=False)

    def repair(self) -> None:
        """As the only writer: open both parts, rebuild what does not read, add what is missing."""
        self._renew(checked=False)

    def resume(self) -> None:
        """As the only writer: take over from another writer, or after a write that failed."""
        self._lexical.forget()
        self._renew(checked=True)

    def _renew(self, *, checked: bool) -> None:
        try:
            self._open_vectors(checked=checked)
        except IndexFormatError as error:
            logger.info("rebuilding the vectors: %s", error)
            self._make_vectors()
        try:
            self._open_lexical(checked=checked)
        except IndexFormatError as error:
            logger.info("rebuilding the lexical index: %s", error)
            self._make_lexical()
        try:
            self._lexical.sweep()
            self.catch_up()
        except IndexFormatError as error:
            logger.info("rebuilding the lexical index: %s", error)
            self._make_lexical()
            self.catch_up()

    def catch_up(self) -> None:
        """Bring both parts to the newest generation of the documents."""
        clock = self._documents.clock()
        if self._mark.generation < clock.purged:  # tombstones that the lexical part needs are gone
            self._make_lexical()
        if self._mark.generation == self._state.generation == clock.generation:
            return
        while rows := self._documents.after(self._state.last_row, clock.generation, n_most=_BATCH):
            numbers = [row.row for row in rows]
            self._state = self._vectors.append(self._state, numbers, [row.vector for row in rows])
        last_row = self._mark.last_row
        while rows := self._documents.after(last_row, clock.generation, n_most=_BATCH):
            last_row = rows[-1].row
            alive = [row for row in rows if row.died is None or row.died > clock.generation]
            self._lexical.add([row.row for row in alive], [row.document for row in alive])
        self.publish(clock.generation)

    def take(self, rows: Sequence[int], documents: Sequence[Document], codes: list[bytes]) -> None:
        """Take in documents that were just stored; `publish` makes them visible."""
        self._state = self._vectors.append(self._state, rows, codes)
        self._lexical.add(rows, documents)

    def publish(self, generation: int) -> None:
        """Make this generation the one that views show."""
        self._state = replace(self._state, generation=generation)
        self._vectors.commit(self._state)
        self._lexical.remove(self._documents.died_between(self._mark.generation, generation))
        mark = Mark(generation, self._state.last_row)
        self._lexical.commit(mark)
        self._mark = mark

    def purge(self) -> None:
        """Remove the dead where there are many of them."""
        generation = self._mark.generation
        dead, _ = self._documents.dead(generation)
        if len(dead) > max(_DEAD_AT_LEAST, _DEAD_SHARE * self._state.count):
            self._state = self._vectors.compact(self._state, dead, generation)
            self._documents.purge(generation)

    def version(self) -> tuple[int, ...]:
        """Return something that changes with every commit, also of another process."""
        return self._lexical.version()

    def view(self) -> View:
        """Return the newest published generation.

        Raises:
            IndexFormatError: The parts do not fit together.
        """
        with self._viewing:
            for _ in range(_ATTEMPTS):
                version = self.version()
                lexical = self._lexical.view()
                state = self._vectors.state()
                dead, purged = self._documents.dead(lexical.mark.generation)
                # Purged meanwhile: rows of this generation are gone, a later one is there.
                whole = purged <= state.purged <= lexical.mark.generation
                if whole and lexical.mark.last_row <= state.last_row:
                    vectors = self._vectors.view(state, lexical.mark.last_row, dead)
                    return View(lexical.mark.generation, lexical, vectors, version)
        raise IndexFormatError(f"{self._vectors.folder}: does not fit the documents")

    def rest(self) -> None:
        """Finish merges; reading goes on."""
        self._lexical.rest()

    def close(self) -> None:
        """Finish merges and let the files go."""
        self._lexical.close()

    def _open_vectors(self, *, checked: bool) -> None:
        state = self._vectors.state()
        clock = self._documents.clock()
        fits = clock.purged <= state.purged and state.generation <= clock.generation
        if state.dim != self._dim or not fits:
            raise IndexFormatError(f"{self._vectors.folder}: does not fit the documents")
        if not checked:
            self._vectors.check(state)
        self._state = state

    def _open_lexical(self, *, checked: bool) -> None:
        with self._viewing:
            if not checked:
                self._lexical.check()
                self._lexical.open()
            self._mark = self._lexical.view().mark
        if self._mark.generation > self._documents.clock().generation:
            raise IndexFormatError(f"{self._lexical.folder}: does not fit the documents")

    def _make_vectors(self) -> None:
        self._state = self._vectors.create(self._dim, purged=self._documents.clock().purged)

    def _make_lexical(self) -> None:
        with self._viewing:
            self._lexical.close()
            shutil.rmtree(self._folder / "lexical", ignore_errors=True)
            self._lexical.create()
        self._mark = Mark(0, 0)
