"""Build Parquet files of pairs from packages, with their rows in `SOURCES.tsv`."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from konayuki.extras import require
from konayuki.files import replace_file, replacing
from konayuki.progress import track
from konayuki.training.sources import CATALOGUE, Pair
from pairs_from_packages.archives import Member, read_members
from pairs_from_packages.declared import (
    SHORTEST_POSITIVE,
    SHORTEST_QUERY,
    Content,
    RegistrySource,
)
from pairs_from_packages.packages import Fetched, PackageFolder
from pairs_from_packages.text import is_japanese

REPORT = "registry.json"
COLUMNS = ("file", "rows", "source", "licence", "pair")
REGISTRIES = {"debian": "Debian", "debian-index": "Debian", "pypi": "PyPI"}
MOST_QUERY = 300  # characters


@dataclass(frozen=True)
class Built:
    """One file of pairs.

    Attributes:
        name: The name of the source.
        file: Its Parquet file.
        rows: The number of its pairs.
        origin: Packages with versions.
        licence: The licence of the texts.
        pair: What query and passage are.
        hashes: SHA-256 of the packages; unchanged packages are not read again.
        dropped: Pairs left out, by reason.
    """

    name: str
    file: str
    rows: int
    origin: str
    licence: str
    pair: str
    hashes: Sequence[str]
    dropped: Mapping[str, int]


@dataclass
class PairFilter:
    """Lets through pairs that teach something, each once, and counts the others by reason."""

    japanese: bool = True
    dropped: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def clean(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Yield the pairs that stay."""
        for pair in pairs:
            reason = self.reason(pair)
            if reason:
                self.dropped[reason] += 1
            else:
                self._seen.add((pair.query, pair.positive))
                yield pair

    def reason(self, pair: Pair) -> str:
        """Return why a pair is left out, "" if it stays."""
        if len(pair.query) < SHORTEST_QUERY:
            return "short query"
        if len(pair.query) > MOST_QUERY:
            return "long query"
        if len(pair.positive) < SHORTEST_POSITIVE:
            return "short passage"
        if self.japanese and not is_japanese(pair.positive):
            return "not Japanese"
        if pair.query == pair.positive:
            return "equal sides"
        return "repeated" if (pair.query, pair.positive) in self._seen else ""


def build(
    sources: Sequence[RegistrySource],
    out: Path,
    packages: PackageFolder,
    *,
    show_progress: bool = True,
) -> list[Built]:
    """Write `registry-NAME.parquet` for each source and their rows in `SOURCES.tsv`.

    A file whose packages have not changed is left as it is; rows of other files in `SOURCES.tsv`
    are kept. What was dropped, and the hashes of the packages, are in `registry.json`.

    Raises:
        NotFoundError: A package cannot be fetched.
        DatasetError: A package is not what its source expects.
    """
    out.mkdir(parents=True, exist_ok=True)
    entries = read_report(out)
    for source in track(sources, "build", unit="source", enabled=show_progress):
        fetched = [(one, *packages.get(one.package)) for one in source.contents]
        hashes = [found.sha256 for _, _, found in fetched]
        before = entries.get(source.name)
        if before and list(before.hashes) == hashes and (out / before.file).is_file():
            continue
        entries[source.name] = _build_one(source, fetched, hashes, out)
        _write_report(entries, out)
        _write_catalogue(entries.values(), out)
    return [entries[source.name] for source in sources]


def _build_one(
    source: RegistrySource,
    fetched: Sequence[tuple[Content, Path, Fetched]],
    hashes: Sequence[str],
    out: Path,
) -> Built:
    filtered = PairFilter(source.japanese)
    pairs: list[Pair] = []
    for content, path, _ in fetched:
        pairs.extend(filtered.clean(source.read(_members(content, path))))
    file = f"registry-{source.name}.parquet"
    _write_pairs(pairs, out / file)
    origin = ", ".join(
        f"{REGISTRIES[one.package.registry]} {one.package.name} {found.version}".strip()
        for one, _, found in fetched
    )
    dropped = dict(sorted(filtered.dropped.items()))
    return Built(
        source.name, file, len(pairs), origin, source.licence, source.pair, hashes, dropped
    )


def _members(content: Content, path: Path) -> Iterable[Member]:
    if content.package.registry == "debian-index":  # a text of its own, in no archive
        return [Member(path.name, path.read_bytes())]
    return read_members(path, content.pattern)


def _write_pairs(pairs: Sequence[Pair], path: Path) -> None:
    arrow = require("pyarrow", "train")
    columns = {
        "query": [pair.query for pair in pairs],
        "positive": [pair.positive for pair in pairs],
    }
    schema = arrow.schema([(name, arrow.string()) for name in columns])
    table = arrow.table(columns, schema=schema)
    with replacing(path) as temporary:
        require("pyarrow.parquet", "train").write_table(table, temporary, compression="zstd")


def read_report(out: Path) -> dict[str, Built]:
    """Return what was built in a folder before, by the names of the sources."""
    path = out / REPORT
    if not path.is_file():
        return {}
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: Built(name=name, **one) for name, one in values.items()}


def _write_report(built: Mapping[str, Built], out: Path) -> None:
    values = {
        name: {key: value for key, value in vars(one).items() if key != "name"}
        for name, one in sorted(built.items())
    }
    replace_file(out / REPORT, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def _write_catalogue(built: Iterable[Built], out: Path) -> None:
    """Write our rows of `SOURCES.tsv`; rows of other files stay."""
    path = out / CATALOGUE
    rows: dict[str, Mapping[str, str]] = {}
    columns = list(COLUMNS)
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            rows = {row["file"]: row for row in reader}
            columns += [name for name in reader.fieldnames or () if name not in columns]
    for one in built:
        values = (one.file, str(one.rows), one.origin, one.licence, one.pair)
        rows[one.file] = dict(zip(COLUMNS, values, strict=True))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows))
