"""Read members of packages without installing them: .deb, wheels, source archives."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from konayuki.errors import DatasetError

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
TAR_MODES = {".xz": "r:xz", ".gz": "r:gz", ".bz2": "r:bz2", ".tar": "r:"}


class Member(NamedTuple):
    """One file of a package."""

    name: str  # its path in the package, without a leading `./`
    content: bytes  # unpacked if the name ends in .gz


def read_members(path: Path, pattern: str) -> Iterator[Member]:
    """Yield the files of a package whose path matches a shell pattern, in the order of their paths.

    Raises:
        DatasetError: The package is damaged or of an unknown kind.
    """
    try:
        members = list(_members(path, pattern))
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} cannot be read as a package: {error}") from error
    yield from sorted(members)


def _members(path: Path, pattern: str) -> Iterator[Member]:
    if path.suffix in {".whl", ".zip", ".jar"}:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if fnmatch(name, pattern):
                    yield _member(name, archive.read(name))
        return
    with _data_of_deb(path) if path.suffix == ".deb" else tarfile.open(path) as files:
        for entry in files:
            name = entry.name.removeprefix("./")
            if entry.isfile() and fnmatch(name, pattern):
                content = files.extractfile(entry)
                if content is not None:
                    yield _member(name, content.read())


def _member(name: str, content: bytes) -> Member:
    return Member(name, gzip.decompress(content) if name.endswith(".gz") else content)


def _data_of_deb(path: Path) -> tarfile.TarFile:
    """Return the files that a .deb would install: its member `data.tar.*`."""
    content = path.read_bytes()
    for name, part in _ar_members(content, path):
        if name.startswith("data.tar"):
            mode = TAR_MODES.get(Path(name).suffix)
            if mode is None:
                raise DatasetError(
                    f"{path}: {name} is packed in a way that Python cannot unpack\n"
                    "hint: repack it with `dpkg-deb -R` and `dpkg-deb -Zxz -b`"
                )
            return tarfile.open(fileobj=io.BytesIO(part), mode=mode)  # type: ignore[call-overload,no-any-return]
    raise DatasetError(f"{path} has no data.tar: it is not a Debian package")


def _ar_members(content: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    if not content.startswith(AR_MAGIC):
        raise DatasetError(f"{path} is not a Debian package: it does not start as an ar archive")
    offset = len(AR_MAGIC)
    while offset + AR_HEADER <= len(content):
        header = content[offset : offset + AR_HEADER]
        size = int(header[48:58])
        start = offset + AR_HEADER
        yield header[:16].decode("ascii").strip().rstrip("/"), content[start : start + size]
        offset = start + size + size % 2
