"""The name of a file in an index: one, however its path is spelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from konayuki.ingest.keywords import file_words
from konayuki.ingest.walk import File
from konayuki.search.notes import Source


class NamedFile(NamedTuple):
    """A file to read.

    Attributes:
        path: The path that leads to it now, for messages.
        place: Its place behind all links, which tells it from other files.
        name: What the index calls it: the path that it was first indexed by.
        root: The folder that was named and holds it; None for a file that was named itself.
        stamp: What tells that it has not changed since, see `konayuki.search.Source`.
    """

    path: Path
    place: Path
    name: str
    root: Path | None = None
    stamp: str = ""

    @property
    def words(self) -> list[str]:
        """What it and the folders that hold it are called."""
        return file_words(self.path.as_posix(), self.root.as_posix() if self.root else "")


class Names:
    """The names of files, those that an index knows and new ones.

    Args:
        known: The files that were indexed, by name.
    """

    def __init__(self, known: Mapping[str, Source]) -> None:
        self._known = known
        self._places = {name: source.place for name, source in known.items()}
        self._by_place: dict[str, list[str]] = {}
        for name, place in self._places.items():
            self._by_place.setdefault(place or name, []).append(name)

    def of(self, file: File) -> tuple[NamedFile, list[str]]:
        """Return a file with its name, and other names that earlier versions gave it as well."""
        path, place = file.path.as_posix(), file.place.as_posix()
        names = self._by_place.get(place) or self._by_place.get(file.path.absolute().as_posix())
        if not names:
            name = place if self._is_another(path, place) else path
            self._places[name] = place
            self._by_place[place] = [name]
            return NamedFile(file.path, file.place, name, file.root, file.stamp), []
        name = path if path in names else names[0]
        named = NamedFile(file.path, file.place, name, file.root, file.stamp)
        return named, [other for other in names if other != name]

    def _is_another(self, name: str, place: str) -> bool:
        """Return whether a name belongs to a file that lies elsewhere and exists."""
        known = self._places.get(name, "")
        return known not in ("", place) and is_there(Path(known))


def is_gone(name: str, source: Source | None, roots: Sequence[Path]) -> bool:
    """Return whether a file that was indexed does not exist any more.

    A relative path may have been meant from another working folder than ours.

    Args:
        name: The name of the file in the index.
        source: What was noted of it; None if only passages name it.
        roots: The files and folders that were named this time.
    """
    path = Path(name)
    if source is None:
        # Passages of other origin (uploads, Python) may name a path too: only what lies in a
        # folder that was named is judged.
        roots = [root for root in roots if root.parts]
        known = any(
            path.is_relative_to(root) or path.is_relative_to(root.absolute()) for root in roots
        )
        return known and not is_there(path)
    named = path.is_absolute() or any(path.is_relative_to(root) for root in roots)
    if not source.place and not named:
        return False  # of an earlier version, which did not note where it lay
    return not is_there(path) and not is_there(Path(source.place or name))


def is_there(path: Path) -> bool:
    """Return whether there is something under a path, as far as can be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # no permission to look, say: then nothing must be thrown away
        return True
    return True
