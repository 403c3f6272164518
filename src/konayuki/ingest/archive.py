"""Archives of XML parts, as Office files and e-books are: read with the standard library."""

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import NoReturn
from xml.etree import ElementTree

from konayuki.errors import FormatError

MAX_BYTES = 256 << 20  # unpacked: a few kilobytes can hold gigabytes of zeros
# What these formats use; a few bytes of LZMA can ask for gigabytes of memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError,
    RuntimeError, OSError,
)  # fmt: skip
_WITH_CHILDREN = ("style",)  # elements that are looked at together with what they hold


class Archive:
    """The parts of a file.

    Args:
        content: The bytes of the file.
        name: What errors call it.
        kind: What it should be: "an Office file".

    Raises:
        FormatError: It is not an archive; the methods raise it for a part that cannot be read.
    """

    def __init__(self, content: bytes, name: str, kind: str) -> None:
        self._name = name
        self._kind = kind
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except _UNREADABLE as error:
            self._refuse(error)
        self._names = set(self._zip.namelist())
        self._n_left = MAX_BYTES

    def __contains__(self, part: str) -> bool:
        return part in self._names

    def events(self, part: str) -> Iterator[tuple[str, ElementTree.Element]]:
        """Yield ("start" or "end", element) of a part, with tags without name spaces."""
        data = self.read(part)
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise FormatError(f"{self._name}: {part}: expected UTF-8 XML without entities")
        parser = ElementTree.iterparse(io.BytesIO(data), ("start", "end"))  # noqa: S314
        opened: list[ElementTree.Element] = []
        for event, node in self._checked(parser):
            node.tag = node.tag.rpartition("}")[2]
            yield event, node
            if event == "start":
                opened.append(node)
                continue
            opened.pop()
            # Millions of elements, even empty ones, must not stay in memory.
            if opened and opened[-1].tag not in _WITH_CHILDREN:
                opened[-1].remove(node)

    def read(self, part: str) -> bytes:
        """Return the bytes of a part."""
        try:
            method = self._zip.getinfo(part).compress_type
            if method not in _METHODS:
                raise NotImplementedError(f"method of compression {method}")
            with self._zip.open(part) as file:
                data = file.read(self._n_left + 1)
        except _UNREADABLE as error:
            self._refuse(error)
        self.spend(len(data), part)
        return data

    def spend(self, n_bytes: int, part: str) -> None:
        """Count what is read, or what a part says once and uses again and again.

        Raises:
            FormatError: It is more than `MAX_BYTES` with what was counted before.
        """
        self._n_left -= n_bytes
        if self._n_left < 0:
            raise FormatError(f"{self._name}: {part}: expected at most {MAX_BYTES >> 20} MB of XML")

    def nodes(self, part: str, tag: str) -> Iterator[ElementTree.Element]:
        """Yield the elements of a part with a tag."""
        return (node for event, node in self.events(part) if event == "end" and node.tag == tag)

    def related(self, part: str) -> dict[str, str]:
        """Return the parts that a part refers to, by the id that it uses."""
        folder, file = posixpath.split(part)
        relations = f"{folder}/_rels/{file}.rels"
        if relations not in self:
            return {}
        return {
            node.get("Id", ""): posixpath.normpath(
                posixpath.join(folder, node.get("Target", ""))
            ).lstrip("/")
            if not node.get("Target", "").startswith("/")
            else node.get("Target", "").lstrip("/")
            for node in self.nodes(relations, "Relationship")
        }

    def title(self) -> str:
        """Return the title that the file gives itself."""
        if "docProps/core.xml" not in self:
            return ""
        return next(
            (node.text or "" for node in self.nodes("docProps/core.xml", "title")), ""
        ).strip()

    def _checked(
        self, parser: Iterable[tuple[str, ElementTree.Element]]
    ) -> Iterator[tuple[str, ElementTree.Element]]:
        """Yield what a parser does; what it raises is an error of the file."""
        try:
            yield from parser
        except (ElementTree.ParseError, LookupError, ValueError) as error:  # or odd encodings
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        raise FormatError(f"{self._name}: not {self._kind} that can be read: {error}") from error
