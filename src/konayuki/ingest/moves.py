"""Files that an index holds and that are not where they were: moved, or gone."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from konayuki.ingest.names import is_there
from konayuki.search.notes import Source


class Moves:
    """Which file was called otherwise before, told by its content.

    Args:
        known: The files that were indexed, by name.
    """

    def __init__(self, known: Mapping[str, Source]) -> None:
        self._known = known
        self._by_content: dict[str, list[str]] = {}
        for name, source in known.items():
            if source.digest and source.place:
                self._by_content.setdefault(content_of(source.digest), []).append(name)
        self.names: dict[str, str] = {}

    def take(self, name: str, content: str) -> str:
        """Return the name that a new file had before, "" if it is not an old one.

        Args:
            name: Its name now.
            content: The digest of its content.
        """
        names = self._by_content.get(content, [])
        for old in names:
            if old != name and not is_there(Path(self._known[old].place)):
                names.remove(old)
                self.names[old] = name
                return old
        return ""


def content_of(digest: str) -> str:
    """Return the part of the digest of a source that is that of its content."""
    return digest.partition(".")[0]


def gone(
    known: Mapping[str, Source], folders: Sequence[Path], seen: Collection[str]
) -> dict[str, list[str]]:
    """Return the names of the files that are not there any more, by the folder that held them.

    Args:
        known: The files that were indexed, by name.
        folders: Places of folders, and of files.
        seen: Places of files that are there.
    """
    lost: dict[str, list[str]] = {}
    inside = [(f"{folder.as_posix().rstrip('/')}/", folder.as_posix()) for folder in folders]
    for name, (_, place, _) in known.items():
        if not place or place in seen:
            continue
        for prefix, folder in inside:
            if (place.startswith(prefix) or place == folder) and not is_there(Path(place)):
                lost.setdefault(folder, []).append(name)
                break
    return lost
