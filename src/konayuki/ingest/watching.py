"""Keep an index up to date with files while they change."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

from konayuki.errors import FormatError, KonayukiError, NotFoundError
from konayuki.extras import require
from konayuki.ingest.chunker import DEFAULT_CUTTING, Cutting
from konayuki.ingest.columns import Columns
from konayuki.ingest.files_on_disk import check_there, exists, shown
from konayuki.ingest.ignore import FILES, is_for_machines
from konayuki.ingest.indexing import update
from konayuki.ingest.records import DEFAULT_COLUMNS
from konayuki.ingest.summary import Summary
from konayuki.ingest.walk import DEFAULT_SELECTION, Selection
from konayuki.search.index import Index

_TICK_MS = 250  # between two looks at what the system does not report
_QUIET_MS = 50  # without a change before changes are taken in together
_LONGEST_MS = 400  # that changes are gathered, however many come
# More of them are faster found by looking at everything.
_MOST_CHANGES = 500
_FULL_LOOK_S = 900.0  # systems drop reports when there are too many
_LONGEST_REST_S = 10.0
_FOLDER = 2  # numbers in the mark of a folder


class Changes(NamedTuple):
    """Places that have changed; None if everything has to be looked at."""

    places: Sequence[Path] | None


def watch(
    index: Index,
    paths: Sequence[str | Path],
    cutting: Cutting = DEFAULT_CUTTING,
    *,
    selection: Selection = DEFAULT_SELECTION,
    columns: Columns = DEFAULT_COLUMNS,
    stop: threading.Event | None = None,
    poll: bool = False,
    show_progress: bool = False,
) -> Iterator[Summary]:
    """Index files, and go on to do so whenever they change; yield what each update did.

    The first summary is that of an ordinary `update`; later ones come only if something was done,
    and are about what had changed. A save is in the index within a second, unless reading it takes
    longer. The index keeps its writer lock.

    Args:
        index: Where the passages go.
        paths: Files and folders.
        cutting: How documents are cut.
        selection: Which files of folders are read.
        columns: Which columns of tables are what.
        stop: Ends the watch when it is set; default: it never ends.
        poll: Look at all files again and again, for network drives whose changes the system does
            not report.
        show_progress: Draw a bar for the first update.

    Raises:
        NotFoundError: A path does not exist.
        MissingExtraError: The extra "documents" is not installed.
        KonayukiError: The system does not let so many folders be watched.
    """
    roots = [Path(path) for path in paths]
    for root in roots:
        check_there(root)
    stop = threading.Event() if stop is None else stop
    watcher = _Watcher(roots, Path(index.info()["path"]), stop, selection, poll=poll)
    look = partial(update, index, cutting=cutting, selection=selection, columns=columns)
    watcher.start()  # first, or changes during the first update would be missed
    yield look(roots, show_progress=show_progress)
    while (changes := watcher.wait()) is not None:
        start = time.monotonic()
        try:
            summary = look([root for root in roots if exists(root)], only=changes.places)
        except (FormatError, NotFoundError) as error:  # half written, say: there will be more of it
            summary = Summary(skipped=[str(error)])
        if _has_done(summary):
            yield summary
        stop.wait(min(time.monotonic() - start, _LONGEST_REST_S))  # work half of the time at most


def _has_done(summary: Summary) -> bool:
    done = summary.passages or summary.removed or summary.moved or summary.gone
    return bool(done or summary.skipped or summary.warnings)


class _Watcher:
    """What changes under some files and folders.

    Args:
        roots: The files and folders.
        away: The folder of the index, whose changes are our own.
        stop: Ends every wait.
        selection: Which files of folders are read.
        poll: Whether to look at all files again and again.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        away: Path,
        stop: threading.Event,
        selection: Selection,
        *,
        poll: bool,
    ) -> None:
        self._roots = roots
        self._away = f"{away.resolve()}{os.sep}"
        self._stop = stop
        self._with_hidden = selection.everything
        self._poll = poll
        self._reports: Iterator[set[str]] = iter(())
        self._folders: list[str] = []
        self._marks: dict[Path, tuple[int, ...]] = {}
        self._last_look = 0.0

    def start(self) -> Changes:
        """Begin to watch what exists; all that was there before has to be looked at."""
        folders = [root.resolve() for root in self._roots if root.is_dir()]
        self._folders = sorted((f"{folder}{os.sep}" for folder in folders), key=len, reverse=True)
        self._marks = {root: _mark(root) for root in self._roots}
        self._reports = self._system_reports(folders) if folders else self._ticks()
        next(self._reports, None)  # the system has begun to note changes when this comes back
        self._last_look = time.monotonic()
        return Changes(None)

    def wait(self) -> Changes | None:
        """Return the next changes, None if the watch is to end."""
        for reported in self._reports:
            changed = [root for root in self._roots if _mark(root) != self._marks[root]]
            if any(len(self._marks[root]) == _FOLDER or root.is_dir() for root in changed):
                return self.start()  # a folder went, came, or is another one now
            self._marks.update({root: _mark(root) for root in changed})
            places = {*map(Path, reported), *(root.resolve() for root in changed)}
            rules = any(place.name in FILES for place in places)
            is_late = time.monotonic() - self._last_look > _FULL_LOOK_S
            if rules or is_late or len(places) > _MOST_CHANGES:
                self._last_look = time.monotonic()
                return Changes(None)
            if places:
                return Changes(sorted(places))
        return None

    def _system_reports(self, folders: Sequence[Path]) -> Iterator[set[str]]:
        watchfiles = require("watchfiles", "documents")
        try:
            for changes in watchfiles.watch(
                *folders,
                watch_filter=lambda _, path: self._is_wanted(path),
                debounce=_LONGEST_MS,
                step=_QUIET_MS,
                stop_event=self._stop,
                rust_timeout=_TICK_MS,
                yield_on_timeout=True,
                force_polling=self._poll or None,
                ignore_permission_denied=True,
            ):
                yield {path for _, path in changes}
        except (OSError, RuntimeError) as error:
            names = ", ".join(map(shown, folders))
            raise KonayukiError(
                f"{names} cannot be watched: {error}\nhint: --poll, or on Linux a larger "
                "fs.inotify.max_user_watches"
            ) from error

    def _ticks(self) -> Iterator[set[str]]:
        yield set()
        while not self._stop.wait(_TICK_MS / 1000):
            yield set()

    def _is_wanted(self, path: str) -> bool:
        """Return whether a change may matter: those of caches and of our index come in floods."""
        if path.startswith(self._away):
            return False
        # Only below the folders: these may themselves lie in a hidden one.
        inside = next((path[len(f) :] for f in self._folders if path.startswith(f)), path)
        *above, name = PurePath(inside).parts or ("",)
        hidden = any(part.startswith(".") or is_for_machines(part) for part in (*above, name))
        return self._with_hidden or not hidden or name in FILES


def _mark(root: Path) -> tuple[int, ...]:
    """Return what tells that a folder is another one, or that a file was written to."""
    try:
        status = root.stat()
    except OSError:
        return ()
    own = (status.st_dev, status.st_ino)
    return own if root.is_dir() else (*own, status.st_size, status.st_mtime_ns)
