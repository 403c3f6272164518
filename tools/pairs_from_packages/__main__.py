"""`python -m pairs_from_packages`: build training pairs, or list what can be built."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from konayuki.errors import InputError, KonayukiError
from konayuki.extras import require
from pairs_from_packages.build import build
from pairs_from_packages.declared import RegistrySource, chosen_sources
from pairs_from_packages.packages import PackageFolder


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="pairs_from_packages", description=__doc__)
    parser.add_argument(
        "action",
        choices=("build", "list"),
        help="write the pairs, or list what can be built from which packages",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the Parquet files")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="build this source only; repeatable"
    )
    parser.add_argument(
        "--packages",
        type=Path,
        metavar="DIR",
        help="keep the packages here, or find them here (default: OUT/packages)",
    )
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument("--json", action="store_true", help="write one JSON object per source")
    return parser


def list_sources(sources: Sequence[RegistrySource], *, as_json: bool) -> None:
    """Print the name, licence and packages of each source."""
    for source in sources:
        names = [content.package.name for content in source.contents]
        record = {"name": source.name, "licence": source.licence, "packages": names}
        line = f"{source.name:24} {source.licence}\n{'':24} {', '.join(names)}"
        print(json.dumps(record, ensure_ascii=False) if as_json else line)


def run(arguments: argparse.Namespace) -> None:
    """Build or list the sources.

    Raises:
        KonayukiError: A source or package cannot be found or read.
    """
    sources = chosen_sources(arguments.only or ())
    if arguments.action == "list":
        list_sources(sources, as_json=arguments.json)
        return
    if arguments.out is None:
        raise InputError("build needs a folder to write to\nhint: --out DIR")
    require("pyarrow", "train")
    folder = arguments.packages or arguments.out / "packages"
    packages = PackageFolder(folder, offline=arguments.offline)
    for built in build(sources, arguments.out, packages):
        dropped = ", ".join(f"{count} {reason}" for reason, count in built.dropped.items())
        line = f"{built.file}: {built.rows} pairs from {built.origin} (left out: {dropped or 0})"
        print(json.dumps(vars(built), ensure_ascii=False) if arguments.json else line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 for a failure or 2 for wrong usage."""
    try:
        run(parser().parse_args(arguments))
    except KonayukiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
