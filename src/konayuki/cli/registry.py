"""`konayuki registry`: training pairs from openly licensed packages."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "action",
        choices=("build", "list"),
        help="write the pairs, or say what can be built from which packages",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the Parquet files")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="this source alone; may be given again"
    )
    parser.add_argument(
        "--packages",
        type=Path,
        metavar="DIR",
        help="keep the packages here, or find them here (default: OUT/packages)",
    )
    parser.add_argument("--offline", action="store_true", help="fetch nothing")
    parser.add_argument("--json", action="store_true", help="write one JSON object a source")


def run(args: argparse.Namespace) -> int:
    """Build or list the sources."""
    from konayuki.errors import InputError
    from konayuki.extras import require
    from konayuki.training.registry.build import build
    from konayuki.training.registry.declared import chosen_sources
    from konayuki.training.registry.packages import PackageFolder

    sources = chosen_sources(args.only or ())
    if args.action == "list":
        for source in sources:
            names = [one.package.name for one in source.contents]
            record = {"name": source.name, "licence": source.licence, "packages": names}
            line = f"{source.name:24} {source.licence}\n{'':24} {', '.join(names)}"
            print(json.dumps(record, ensure_ascii=False) if args.json else line)
        return 0
    if args.out is None:
        raise InputError("registry build needs a folder to write to\nhint: --out DIR")
    require("pyarrow", "train")
    packages = PackageFolder(args.packages or args.out / "packages", offline=args.offline)
    for built in build(sources, args.out, packages):
        dropped = ", ".join(f"{count} {reason}" for reason, count in built.dropped.items())
        line = f"{built.file}: {built.rows} pairs from {built.origin} (left out: {dropped or 0})"
        print(json.dumps(vars(built), ensure_ascii=False) if args.json else line)
    return 0
