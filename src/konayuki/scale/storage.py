"""Files of this machine and of object stores, through pyarrow's file systems and fsspec's."""

import io
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from konayuki.errors import InputError, MissingExtraError, NotFoundError
from konayuki.extras import require

EXTRA = "scale"
READ_BYTES = 1 << 20
_WILD = re.compile(r"[*?]")


class Source(NamedTuple):
    """A file to read: its path in its file system, its name below the root, and its state."""

    path: str
    name: str
    size: int
    modified: int  # ns; -1 where the store does not say


@dataclass(frozen=True)
class Store:
    """A folder, or the start of a pattern, in some file system; pickles, so workers can take it.

    Attributes:
        filesystem: a pyarrow file system.
        root: the path in it, without a slash at its end.
    """

    filesystem: Any
    root: str

    def path(self, name: str) -> str:
        """Return the path of a file below the root."""
        return f"{self.root}/{name}" if self.root else name

    def names(self, suffix: str) -> list[str]:
        """Return the names of all files below the root that end so; hidden ones are left out."""
        return [source.name for source in self._below() if source.name.endswith(suffix)]

    def sources(self, suffixes: tuple[str, ...]) -> list[Source]:
        """Return the files below the root of these kinds, by name."""
        return [source for source in self._below() if source.name.endswith(suffixes)]

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        return bool(self.filesystem.get_file_info(self.path(name)).is_file)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self.filesystem.open_input_stream(self.path(name)) as file:
            return bytes(file.read())

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.exists(name):
            self.filesystem.delete_file(self.path(name))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Open a file that appears under its name when it is whole, and not at all otherwise."""
        path = self.path(name)
        folder, _, last = path.rpartition("/")
        self.filesystem.create_dir(folder, recursive=True)
        partial = f"{folder}/.{last}.{uuid.uuid4().hex[:12]}.partial"
        try:
            with self.filesystem.open_output_stream(partial) as stream:
                yield stream
            if self.filesystem.get_file_info(path).is_file and self._keeps_targets:
                self.filesystem.delete_file(path)
            self.filesystem.move(partial, path)
        except BaseException:
            if self.filesystem.get_file_info(partial).is_file:
                self.filesystem.delete_file(partial)
            raise

    def sweep(self) -> None:
        """Remove what writers that were killed left behind."""
        for source in self._below(hidden=True):
            if source.name.endswith(".partial"):
                self.filesystem.delete_file(source.path)

    @property
    def _keeps_targets(self) -> bool:
        """Whether a move onto a file that is there may fail: fsspec leaves it to each store."""
        return str(self.filesystem.type_name).startswith("py::")

    def _below(self, *, hidden: bool = False) -> list[Source]:
        fs = require("pyarrow.fs", EXTRA)
        selector = fs.FileSelector(self.root, recursive=True, allow_not_found=True)
        found = []
        for info in self.filesystem.get_file_info(selector):
            if info.is_file:
                path = info.path.replace("\\", "/")
                name = path.removeprefix(self.root).lstrip("/")
                if hidden or not any(part[0] in "._" for part in name.split("/")):
                    found.append(_source(info, path, name))
        return sorted(found, key=lambda source: source.name)


def open_store(uri: str) -> Store:
    """Return the store of a folder: a path, or an address such as s3://bucket/folder.

    pyarrow's own file systems take file, s3, gs and hdfs; fsspec takes every other protocol.

    Raises:
        InputError: nobody knows the protocol, or it cannot be reached.
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


def find_sources(uri: str, suffixes: tuple[str, ...]) -> tuple[Store, list[Source]]:
    """Return the files that a path, a folder or a pattern means, by name, and where they lie.

    `*` and `?` stay within one folder, `**` crosses folders. Hidden files, and those in folders
    whose name starts with a dot or `_`, are left out.

    Raises:
        NotFoundError: there is no such file, or none of these kinds in it.
    """
    store, pattern = _split_pattern(uri)
    if pattern:
        matching = re.compile(_as_regex(pattern))
        found = [source for source in store.sources(suffixes) if matching.fullmatch(source.name)]
    else:
        info = store.filesystem.get_file_info(store.root)
        if info.is_file:
            folder, _, name = store.root.rpartition("/")
            store = Store(store.filesystem, folder)
            found = [_source(info, store.path(name), name)]
        else:
            found = store.sources(suffixes)
    if not found:
        raise NotFoundError(f"no input at {uri!r}: expected {', '.join(suffixes)}")
    return store, found


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
    wild = _WILD.search(uri)
    if wild is None:
        return open_store(uri), ""
    cut = uri.rfind("/", 0, wild.start())
    return open_store(uri[:cut] or "/" if cut >= 0 else "."), uri[cut + 1 :]


def _as_regex(pattern: str) -> str:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(parts.get(piece, re.escape(piece)) for piece in pieces)


def _source(info: Any, path: str, name: str) -> Source:  # noqa: ANN401 - pyarrow has no types
    modified = info.mtime_ns
    return Source(path, name, int(info.size or 0), -1 if modified is None else int(modified))
