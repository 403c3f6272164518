"""The files of a tantivy index: which they are, whether they are whole, and what is left over."""

import json
import os
import re
import shutil
import stat
import struct
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

from konayuki.errors import IndexFormatError
from konayuki.files import open_regular, read_regular, replace_file
from konayuki.search.failures import failure

_FOOTER_MAGIC = 1337
_MAX_FOOTER = 1 << 16
_MAX_LISTED = 1 << 26  # thousands of segments take a few MB
_BLOCK_BYTES = 1 << 24
_SUFFIXES = ("fast", "fieldnorm", "idx", "pos", "store", "term")
_SEGMENT_FILE = re.compile(rf"[0-9a-f]{{32}}\.(?:{'|'.join(_SUFFIXES)}|temp|[0-9]{{1,20}}\.del)")
_TEMPORARY = re.compile(r"\.tmp[0-9A-Za-z]{6}")
_LISTED = "meta.json"
_MANAGED = ".managed.json"
_LOCKS = (".tantivy-meta.lock", ".tantivy-writer.lock")


def check(folder: Path) -> None:
    """Compare the files of an index with the checksums in their footers.

    Raises:
        IndexFormatError: They differ, one is missing, or is not a regular file.
    """
    _check_names(folder)
    for path in segment_files(folder):
        try:
            is_whole = _footer_holds(path)
        except OSError as error:
            raise failure(path, error) from error
        if not is_whole:
            raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")


def segment_files(folder: Path) -> list[Path]:
    """Return every file that the current state of the index is made of."""
    path = folder / _LISTED
    try:
        names = []
        for segment in json.loads(read_regular(path, _MAX_LISTED))["segments"]:
            stem = segment["segment_id"].replace("-", "")
            names += [f"{stem}.{suffix}" for suffix in _SUFFIXES]
            if segment["deletes"]:
                names.append(f"{stem}.{segment['deletes']['opstamp']}.del")
        if not all(_SEGMENT_FILE.fullmatch(name) for name in names):
            raise ValueError("names of files that tantivy does not write")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise IndexFormatError(f"{path}: {error}: expected the state of a tantivy index") from error
    return [folder / name for name in names]


def remove_unused(folder: Path) -> None:
    """Remove files that the current state does not name; foreign files stay."""
    used = {path.name for path in segment_files(folder)}
    for path in folder.iterdir():
        ours = _SEGMENT_FILE.fullmatch(path.name) or _TEMPORARY.fullmatch(path.name)
        if ours and path.name not in used:
            with suppress(OSError):  # still mapped, on a system that forbids removal
                path.unlink()


def remove_all(folder: Path) -> None:
    """Remove the files of an index; foreign files stay.

    Raises:
        IndexFormatError: The folder is a link: its files are not ours.
    """
    if folder.is_symlink():
        raise IndexFormatError(f"{folder}: expected a folder, not a link")
    # The list first: without it, what is left of a removal that was cut short is not an index.
    for name in (_LISTED, _MANAGED, *_LOCKS):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    for path in folder.iterdir():
        if _SEGMENT_FILE.fullmatch(path.name) or _TEMPORARY.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def remove_lock(folder: Path) -> None:
    """Remove the file on which tantivy's writers lock each other out."""
    (folder / _LOCKS[1]).unlink(missing_ok=True)


class Mirror:
    """A temporary folder with links to the files of an index that must not be written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def refresh(self) -> Path:
        """Bring the links up to date; return the temporary folder."""
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="konayuki-")
        mirror = Path(self._temporary.name)
        try:
            for path in segment_files(self._folder):
                target = mirror / path.name
                if not target.is_symlink() and not target.exists():
                    _link(path.absolute(), target)
            content = read_regular(self._folder / _LISTED, _MAX_LISTED)
            if not (mirror / _LISTED).exists() or content != (mirror / _LISTED).read_bytes():
                replace_file(mirror / _LISTED, content)
        except OSError as error:
            raise failure(self._folder, error) from error
        return mirror

    def close(self) -> None:
        """Remove the temporary folder."""
        if self._temporary is not None:
            with suppress(OSError):  # still mapped, on a system that forbids removal
                self._temporary.cleanup()
            self._temporary = None


def _link(path: Path, target: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise IndexFormatError(f"{path}: expected a regular file, not a link")
    try:
        target.symlink_to(path)
    except OSError:  # Windows asks for a right to make links
        shutil.copyfile(path, target)


def _check_names(folder: Path) -> None:
    """Refuse links and devices, and a list of files to remove that leads out of the folder.

    tantivy removes whatever `.managed.json` lists and its state does not, absolute paths included.
    """
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise IndexFormatError(f"{folder}: expected a folder, not a link or a file")
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    raise IndexFormatError(f"{entry.path}: expected a regular file, not a link")
        managed = json.loads(read_regular(folder / _MANAGED, _MAX_LISTED))
        if not isinstance(managed, list) or not all(map(_is_ours, managed)):
            raise ValueError("names of files that tantivy does not write")
    except FileNotFoundError as error:
        raise IndexFormatError(f"{error.filename}: expected a tantivy index") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, IndexFormatError):
            raise
        raise IndexFormatError(f"{folder / _MANAGED}: {error}") from error
    except OSError as error:
        raise failure(folder, error) from error


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and (name == _LISTED or bool(_SEGMENT_FILE.fullmatch(name)))


def _footer_holds(path: Path) -> bool:
    """Return whether the checksum in the footer of a tantivy file is that of its body."""
    with os.fdopen(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            return False
        file.seek(size - 8)
        length, magic = struct.unpack("<II", file.read(8))
        if magic != _FOOTER_MAGIC or length > min(size - 8, _MAX_FOOTER):
            return False
        file.seek(size - 8 - length)
        try:
            expected = json.loads(file.read(length))["crc"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return False
        file.seek(0)
        checksum, left = 0, size - 8 - length
        while left and (block := file.read(min(left, _BLOCK_BYTES))):
            checksum, left = zlib.crc32(block, checksum), left - len(block)
    return bool(expected == checksum and not left)
