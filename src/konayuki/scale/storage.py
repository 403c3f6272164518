"""Files of this machine and of object stores, through pyarrow's file systems and fsspec's."""

import io
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from konayuki.errors import InputError, MissingExtraError, NotFoundError, WriteError
from konayuki.extras import require

EXTRA = "scale"
READ_BYTES = 1 << 20
_WILDCARD = re.compile(r"[*?]")


class StoredFile(NamedTuple):
    """A file to read: its path in its file system, its name below the root, and its state."""

    path: str
    name: str
    size: int
    modified: int  # ns; -1 if the store does not tell


@dataclass(frozen=True)
class Store:
    """A folder, or the start of a pattern, in some file system; pickles, so workers can take it.

    Attributes:
        filesystem: A pyarrow file system.
        root: The path in it, without a slash at its end.
    """

    filesystem: Any
    root: str

    def path(self, name: str) -> str:
        """Return the path of a file below the root."""
        return f"{self.root}/{name}" if self.root else name

    def names(self, suffix: str) -> list[str]:
        """Return the names of the files below the root with a suffix; hidden ones are left out."""
        return [file.name for file in self.files((suffix,))]

    def files(self, suffixes: tuple[str, ...]) -> list[StoredFile]:
        """Return the files below the root with these suffixes by name, without hidden ones."""
        return [file for file in self._below() if file.name.endswith(suffixes)]

    def exists(self, name: str) -> bool:
        """Return whether a file exists."""
        return bool(self.filesystem.get_file_info(self.path(name)).is_file)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self.filesystem.open_input_stream(self.path(name)) as file:
            return bytes(file.read())

    def delete(self, name: str) -> None:
        """Remove a file if it exists."""
        if self.exists(name):
            self.filesystem.delete_file(self.path(name))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Open a file that appears under its name when it is whole, and not at all otherwise.

        On object stores `konayuki.files.replacing` cannot do this: it needs a local path.
        """
        path = self.path(name)
        folder, _, last = path.rpartition("/")
        try:
            self.filesystem.create_dir(folder, recursive=True)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise WriteError(f"cannot create the folder {folder}: {reason}") from error
        partial = f"{folder}/.{last}.{uuid.uuid4().hex[:12]}.partial"
        try:
            with self.filesystem.open_output_stream(partial) as stream:
                yield stream
            # fsspec leaves to each store whether a move onto an existing file fails.
            is_fsspec = str(self.filesystem.type_name).startswith("py::")
            if is_fsspec and self.filesystem.get_file_info(path).is_file:
                self.filesystem.delete_file(path)
            self.filesystem.move(partial, path)
        except BaseException:
            if self.filesystem.get_file_info(partial).is_file:
                self.filesystem.delete_file(partial)
            raise

    def sweep(self) -> None:
        """Remove what killed writers left behind."""
        for file in self._below(hidden=True):
            if file.name.endswith(".partial"):
                self.filesystem.delete_file(file.path)

    def _below(self, *, hidden: bool = False) -> list[StoredFile]:
        fs = require("pyarrow.fs", EXTRA)
        selector = fs.FileSelector(self.root, recursive=True, allow_not_found=True)
        files = []
        for info in self.filesystem.get_file_info(selector):
            if info.is_file:
                path = info.path.replace("\\", "/")
                name = path.removeprefix(self.root).lstrip("/")
                if hidden or not any(part[0] in "._" for part in name.split("/")):
                    files.append(_stored_file(info, path, name))
        return sorted(files, key=lambda file: file.name)


def open_store(uri: str) -> Store:
    """Return the store of a folder: a path, or an address such as s3://bucket/folder.

    pyarrow's own file systems take file, s3, gs and hdfs; fsspec takes every other protocol.

    Raises:
        InputError: The protocol is unknown, or the store cannot be reached.
    """
    fs = require("pyarrow.fs", EXTRA)
    arrow = require("pyarrow", EXTRA)
    if "://" not in uri:
        return Store(fs.LocalFileSystem(), Path(uri).absolute().as_posix().rstrip("/"))
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (arrow.ArrowException, ValueError):
        filesystem, path = _with_fsspec(uri)
    except OSError as error:
        raise InputError(f"cannot use {uri!r}: {error}") from error
    return Store(filesystem, path.rstrip("/"))


def find_files(uri: str, suffixes: tuple[str, ...]) -> tuple[Store, list[StoredFile]]:
    """Return the files of a path, a folder or a pattern by name, and the store that holds them.

    `*` and `?` stay within one folder, `**` crosses folders. Hidden files, and those in folders
    whose name starts with a dot or `_`, are left out.

    Raises:
        NotFoundError: No file matches, or none with one of the suffixes.
    """
    store, pattern = _split_pattern(uri)
    if pattern:
        matching = re.compile(_as_regex(pattern))
        files = [file for file in store.files(suffixes) if matching.fullmatch(file.name)]
    else:
        info = store.filesystem.get_file_info(store.root)
        if info.is_file:
            folder, _, name = store.root.rpartition("/")
            store = Store(store.filesystem, folder)
            files = [_stored_file(info, store.path(name), name)]
        else:
            files = store.files(suffixes)
    if not files:
        raise NotFoundError(f"no input at {uri!r}: expected {', '.join(suffixes)}")
    return store, files


@contextmanager
def open_binary(filesystem: Any, path: str) -> Iterator[BinaryIO]:  # noqa: ANN401 - pyarrow
    """Open a file for reading by lines and with seeks; a .gz file is unpacked, without seeks."""
    if path.endswith(".gz"):
        with filesystem.open_input_stream(path, compression="gzip") as stream:
            yield cast("BinaryIO", io.BufferedReader(stream, READ_BYTES))
        return
    with filesystem.open_input_file(path) as file:
        yield cast("BinaryIO", io.BufferedReader(file, READ_BYTES))


def _with_fsspec(uri: str) -> tuple[Any, str]:
    fs = require("pyarrow.fs", EXTRA)
    core = require("fsspec.core", EXTRA)
    try:
        filesystem, path = core.url_to_fs(uri)
    except ImportError as error:
        raise MissingExtraError(f"cannot open {uri!r}: {error}") from error
    except ValueError as error:
        raise InputError(f"cannot open {uri!r}: {error}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


def _split_pattern(uri: str) -> tuple[Store, str]:
    """Return the folder before the first wildcard, and the pattern below it."""
    wildcard = _WILDCARD.search(uri)
    if wildcard is None:
        return open_store(uri), ""
    slash = uri.rfind("/", 0, wildcard.start())
    return open_store(uri[:slash] or "/" if slash >= 0 else "."), uri[slash + 1 :]


def _as_regex(pattern: str) -> str:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(parts.get(piece, re.escape(piece)) for piece in pieces)


def _stored_file(info: Any, path: str, name: str) -> StoredFile:  # noqa: ANN401 - pyarrow has no types
    modified = info.mtime_ns
    return StoredFile(path, name, int(info.size or 0), -1 if modified is None else int(modified))
