"""The files of a build: named by their content, written once, swept when nothing names them."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from konayuki.errors import WriteError
from konayuki.files import make_folder, replace_file

_OURS = re.compile(r"(?:model|start|vectors)-[0-9a-f]{16}\.bin")
_OUR_FOLDERS = re.compile(r"(?:words|characters|passages|tokens|dictionary)-[0-9a-f]{16}")
_PARTS = re.compile(r"\d+\.bin")


def digest_of(*contents: bytes) -> str:
    """Return the 16 hexadecimal digits that name some content."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()[:16]


class Output:
    """A folder that gets the files of one build.

    Args:
        folder: Made if it does not exist.

    Attributes:
        n_written: Files that were written.
        total_bytes: Bytes of all files of the build.
        n_files: Their number.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._names: set[str] = set()
        self.n_written = 0
        self.n_files = 0
        self.total_bytes = 0

    def put(self, name: str, content: bytes) -> None:
        """Write a file, if it does not hold this content already.

        Raises:
            WriteError: The system refuses.
        """
        path = self._folder / name
        self._names.add(name.partition("/")[0])
        self.n_files += 1
        self.total_bytes += len(content)
        with suppress(OSError):
            if path.stat().st_size == len(content) and path.read_bytes() == content:
                return
        if path.is_symlink():
            raise WriteError(f"cannot write {path}: it is a link: expected a file or a new name")
        replace_file(path, content, synced=False)
        self.n_written += 1

    def put_named(self, kind: str, content: bytes) -> str:
        """Write a file that is named by its content, and return its name."""
        name = f"{kind}-{digest_of(content)}.bin"
        self.put(name, content)
        return name

    def put_parts(self, kind: str, contents: Sequence[bytes]) -> str:
        """Write numbered files to a folder that is named by their content; return its name."""
        name = f"{kind}-{digest_of(*contents)}"
        if (self._folder / name).is_symlink():
            raise WriteError(f"cannot write {self._folder / name}: expected a folder, not a link")
        make_folder(self._folder / name)
        for number, content in enumerate(contents):
            self.put(f"{name}/{number}.bin", content)
        return name

    def sweep(self) -> int:
        """Remove files of earlier builds, and nothing else; return how many."""
        n_removed = 0
        for path in sorted(self._folder.iterdir()):
            if path.name in self._names or path.is_symlink():
                continue
            if _OURS.fullmatch(path.name) and path.is_file():
                path.unlink()
                n_removed += 1
            elif _OUR_FOLDERS.fullmatch(path.name) and path.is_dir():
                for part in path.iterdir():
                    if _PARTS.fullmatch(part.name) and not part.is_dir():
                        part.unlink()
                        n_removed += 1
                with suppress(OSError):  # somebody keeps other files there
                    path.rmdir()
        return n_removed
