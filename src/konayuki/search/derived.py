"""The derived parts, kept at the generation of the documents or rebuilt from them."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from konayuki.errors import IndexFormatError, KonayukiError
from konayuki.search.document import Document
from konayuki.search.documents import Clock, Documents
from konayuki.search.encoder import Encoder, TokenEncoder
from konayuki.search.lexical import LexicalIndex, Mark
from konayuki.search.ranking import View
from konayuki.search.terms import ANALYZER_VERSION
from konayuki.search.token_ids import TokenFiles, TokenState, TokenView
from konayuki.search.vectors import VectorFiles, VectorState

logger = logging.getLogger(__name__)

_BATCH = 4096
_ATTEMPTS = 50
_TOKEN_ATTEMPTS = 3
# Dead rows cost every query a little; compaction rewrites every vector. Beyond this share it pays.
_DEAD_AT_LEAST = 1000
_DEAD_SHARE = 0.02


class Derived:
    """Lexical and dense files of one index, and the tokens if the model has rows of tokens.

    Vectors and tokens are always committed before the lexical part, and the mark of the lexical
    part decides which generation a view shows; what is of later generations is left out of it.

    All parts name the index and the commit that they were made from. A part of another index, or
    of another history of this one (of a restored backup, say), is made again from the documents.

    Args:
        folder: Of the parts.
        documents: What they are made from.
        model: What the documents are encoded with.
        index_id: The random number of the index; 0 if it has format 1.
        mirrored: Never write in the folder.
    """

    def __init__(
        self,
        folder: Path,
        documents: Documents,
        model: Encoder,
        index_id: int,
        *,
        mirrored: bool = False,
    ) -> None:
        self._documents = documents
        self._dim = model.dim
        self._index_id = index_id
        self._lexical = LexicalIndex(folder / "lexical", mirrored=mirrored)
        # Something that changes with every commit, also of another process.
        self.version = self._lexical.version
        self._vectors = VectorFiles(folder / "vectors")
        self._state = VectorState(dim=model.dim)
        self._tokens = (
            TokenFiles(folder / "tokens", model) if isinstance(model, TokenEncoder) else None
        )
        self._token_state: TokenState | None = None
        self._checked_tokens: tuple[int, int] | None = None
        self._mirrored = mirrored
        self._mark = Mark()
        self._viewing = threading.Lock()
        # Whether parts, `_state` and `_mark` are those of the last commit: only then may a write
        # go on from them. False until the first repair, and while anything changes.
        self._settled = False

    @property
    def commit(self) -> int:
        """The commit of the documents that the next write follows."""
        return self._state.commit

    @property
    def has_old_terms(self) -> bool:
        """Whether the lexical part was made with another version of the analyser."""
        return self._mark.analyzer != ANALYZER_VERSION

    def open(self) -> View:
        """Open and check the parts; return what they show.

        An index that is only read gets its tokens checked at the first view instead.

        Raises:
            IndexFormatError: One of them cannot be read or does not fit the documents.
        """
        self._open_vectors(verify=True)
        self._open_lexical(verify=True)
        if not self._mirrored:  # a reader goes without a second look rather than make tokens
            self._open_tokens(verify=True)
        return self.view()

    def repair(self, index_id: int) -> None:
        """As the only writer: open the parts, rebuild what is damaged, add what is missing."""
        self._index_id = index_id
        with self._changing():
            self._renew(verify=True)

    def settle(self, index_id: int) -> None:
        """As the only writer: make sure that all parts stand at the last commit.

        They may not after a write that failed, or if another process was the writer before.
        """
        is_current = self._documents.clock().commit == self.commit and index_id == self._index_id
        if self._settled and is_current:
            return
        self._index_id = index_id
        with self._changing():
            self._lexical.rollback()
            self._renew(verify=False)

    def take(
        self, rows: Sequence[int], documents: Sequence[Document], codes: list[bytes], clock: Clock
    ) -> None:
        """Take in documents that were just stored; `publish` makes them visible."""
        with self._changing():
            self._state = self._vectors.append(self._state, rows, codes)
            self._state = replace(self._state, generation=clock.generation, commit=clock.commit)
            self._append_tokens(rows, documents)
            self._lexical.add(rows, documents)

    def publish(self) -> None:
        """Make everything that was taken in visible; remove the dead if there are many."""
        with self._changing():
            self._commit()
            dead, _ = self._documents.dead(self._mark.generation)
            if len(dead) > max(_DEAD_AT_LEAST, _DEAD_SHARE * self._state.count):
                self._state = self._vectors.compact(self._state, dead, self._mark.generation)
                if self._tokens and self._token_state:
                    self._token_state = self._tokens.compact(
                        self._token_state, dead, self._mark.generation
                    )
                self._documents.purge(self._mark.generation)

    def view(self) -> View:
        """Return the newest published generation.

        A writer may replace the files while they are read, so a failure counts only if it stays.

        Raises:
            IndexFormatError: The parts do not fit together.
        """
        problem = IndexFormatError(f"{self._vectors.folder}: does not fit the documents")
        with self._viewing:
            for attempt in range(_ATTEMPTS):
                version = self.version()
                try:
                    lexical = self._lexical.view()
                    state = self._vectors.state()
                    mark = lexical.mark
                    dead, purged = self._documents.dead(mark.generation)
                    # Purged meanwhile: rows of this generation are gone, a later one is there.
                    whole = purged <= state.purged <= mark.generation
                    same = mark.index_id == state.index_id
                    if whole and same and mark.last_row <= state.last_row:
                        vectors = self._vectors.view(state, mark.last_row, dead)
                        return View(
                            mark.generation, lexical, vectors, version, self._token_view(mark)
                        )
                except IndexFormatError as error:
                    problem = error
                    if version == self.version():  # nobody is at work: it stays damaged
                        if attempt > 2:
                            break
                        time.sleep(0.001)
        raise problem

    def close(self) -> None:
        """Finish merges and let the files go."""
        self._lexical.close()

    def finish_merges(self) -> None:
        """Finish merges; reading goes on."""
        self._lexical.finish_merges()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the parts for unsettled until the block has ended well."""
        self._settled = False
        yield
        self._settled = True

    def _renew(self, *, verify: bool) -> None:
        """Open the parts, rebuild what cannot be used and catch up with the documents.

        Args:
            verify: Compare the files with their checksums, which takes time.
        """
        try:
            self._open_vectors(verify=verify)
        except IndexFormatError as error:
            logger.info("rebuilding the vectors: %s", error)
            self._make_vectors()
        try:
            self._open_tokens(verify=verify)
        except IndexFormatError as error:
            logger.info("rebuilding the tokens: %s", error)
            self._make_tokens()
        try:
            self._open_lexical(verify=verify)
            if self.has_old_terms:
                logger.warning(
                    "%s: made with version %d of the analyser, this is %d: indexing the terms of "
                    "all documents again",
                    self._lexical.folder, self._mark.analyzer, ANALYZER_VERSION,
                )  # fmt: skip
                self._make_lexical()
        except IndexFormatError as error:
            logger.info("rebuilding the lexical index: %s", error)
            self._make_lexical()
        try:
            self._lexical.collect_garbage()
            self._catch_up()
        except IndexFormatError as error:
            logger.info("rebuilding the derived parts: %s", error)
            self._make_vectors()
            self._make_tokens()
            self._make_lexical()
            self._catch_up()

    def _catch_up(self) -> None:
        """Bring all parts to the newest generation of the documents."""
        clock = self._documents.clock()
        if self._mark.generation < clock.purged:  # tombstones that the lexical part needs are gone
            self._make_lexical()
        parts = [part for part in (self._mark, self._state, self._token_state) if part]
        newest = (clock.commit, clock.generation)
        if all((part.commit, part.generation) == newest for part in parts):
            return
        while rows := self._documents.after(self._state.last_row, clock.generation, n_most=_BATCH):
            numbers = [row.row for row in rows]
            self._state = self._vectors.append(self._state, numbers, [row.vector for row in rows])
        while self._token_state and (
            rows := self._documents.after(
                self._token_state.last_row, clock.generation, n_most=_BATCH
            )
        ):
            self._append_tokens([row.row for row in rows], [row.document for row in rows])
        last_row = self._mark.last_row
        while rows := self._documents.after(last_row, clock.generation, n_most=_BATCH):
            last_row = rows[-1].row
            alive = [row for row in rows if row.died is None or row.died > clock.generation]
            self._lexical.add([row.row for row in alive], [row.document for row in alive])
        self._state = replace(self._state, generation=clock.generation, commit=clock.commit)
        self._commit()

    def _commit(self) -> None:
        """Make the state of all parts the one that views show: the lexical part last."""
        state = self._state
        self._vectors.commit(state)
        if self._tokens and self._token_state:
            self._token_state = replace(
                self._token_state, generation=state.generation, commit=state.commit
            )
            self._tokens.commit(self._token_state)
        self._lexical.remove(self._documents.died_between(self._mark.generation, state.generation))
        mark = Mark(state.generation, state.last_row, state.index_id, state.commit)
        self._lexical.commit(mark)
        self._mark = mark

    def _open_vectors(self, *, verify: bool) -> None:
        state = self._vectors.state()
        clock = self._documents.clock()
        fits = clock.purged <= state.purged and state.generation <= clock.generation
        if state.dim != self._dim or not fits or not self._is_ours(state):
            raise IndexFormatError(f"{self._vectors.folder}: does not fit the documents")
        if verify:
            self._vectors.check(state)
        self._state = state

    def _open_lexical(self, *, verify: bool) -> None:
        with self._viewing:
            if verify:
                self._lexical.check()
                self._lexical.open()
            self._mark = self._lexical.view().mark
        too_late = self._mark.generation > self._documents.clock().generation
        if too_late or not self._is_ours(self._mark):
            raise IndexFormatError(f"{self._lexical.folder}: does not fit the documents")

    def _open_tokens(self, *, verify: bool) -> None:
        if not self._tokens:
            return
        state = self._tokens.state()
        clock = self._documents.clock()
        if state.generation > clock.generation or not self._is_ours(state):
            raise IndexFormatError(f"{self._tokens.folder}: does not fit the documents")
        if verify:
            self._tokens.check(state)
        self._token_state = state

    def _append_tokens(self, rows: Sequence[int], documents: Sequence[Document]) -> None:
        if self._tokens and self._token_state:
            texts = [document.embedded_text for document in documents]
            self._token_state = self._tokens.append(self._token_state, rows, texts)

    def _token_view(self, mark: Mark) -> TokenView | None:
        """Return the tokens of a generation; None if they are not usable: no second look then."""
        for _ in range(_TOKEN_ATTEMPTS if self._tokens else 0):
            assert self._tokens is not None  # noqa: S101 - asked above
            try:
                state = self._tokens.state()
                covers = state.purged <= mark.generation and mark.last_row <= state.last_row
                if state.index_id == mark.index_id and covers:
                    self._check_once(state)
                    return self._tokens.view(state, mark.last_row)
            except KonayukiError as error:  # a writer may be replacing the files
                logger.debug("no tokens: %s", error)
            time.sleep(0.001)
        return None

    def _check_once(self, state: TokenState) -> None:
        """As a reader, who does not check tokens on opening: check files that are new."""
        files = (state.index_id, state.epoch)
        if self._tokens and self._mirrored and files != self._checked_tokens:
            if not self._is_ours(state):
                raise IndexFormatError(f"{self._tokens.folder}: does not fit the documents")
            self._tokens.check(state)
            self._checked_tokens = files

    def _make_tokens(self) -> None:
        if self._tokens:
            purged = self._documents.clock().purged
            self._token_state = self._tokens.create(index_id=self._index_id, purged=purged)

    def _is_ours(self, part: VectorState | TokenState | Mark) -> bool:
        return part.index_id == self._index_id and self._documents.holds(
            part.generation, part.commit
        )

    def _make_vectors(self) -> None:
        purged = self._documents.clock().purged
        self._state = self._vectors.create(self._dim, index_id=self._index_id, purged=purged)

    def _make_lexical(self) -> None:
        mark = Mark(index_id=self._index_id)
        with self._viewing:
            self._lexical.create(mark)
        self._mark = mark
