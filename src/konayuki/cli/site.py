"""`konayuki site`: add search to a folder of built HTML."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.cli.options import path_of
from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.site import Summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=path_of,
        metavar="BUILD_DIR",
        help="folder of built HTML; the search is written to its folder 'konayuki'",
    )
    parser.add_argument(
        "--from",
        dest="index",
        type=path_of,
        metavar="INDEX",
        help="take the passages of an index instead; their metadata 'url' or 'path' is the address",
    )
    parser.add_argument(
        "--out",
        type=path_of,
        metavar="DIR",
        help="folder for the search (default: BUILD_DIR/konayuki)",
    )
    parser.add_argument(
        "--dim",
        type=int,
        default=128,
        metavar="N",
        help="dimensions of model and vectors: 128 loads fastest, 256 finds more",
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 4), default=8, help="bits of a number in a vector"
    )
    parser.add_argument(
        "--chunk-size", type=int, default=400, metavar="N", help="characters of a passage at most"
    )
    parser.add_argument(
        "--cache",
        type=path_of,
        metavar="FILE",
        help="keep parsed pages and vectors in this file, so that the next build "
        "takes unchanged pages from it; not inside BUILD_DIR, which is published",
    )
    for name, help_text in (
        ("--include", "read only pages that match this pattern, written as in .gitignore"),
        ("--exclude", "leave out pages and folders that match this pattern"),
    ):
        parser.add_argument(name, action="append", default=[], metavar="PATTERN", help=help_text)


def run(args: argparse.Namespace) -> int:
    """Write the search; return 1 if some pages could not be read."""
    if (args.folder is None) == (args.index is None):
        raise InputError(
            "expected either a folder of built HTML or --from INDEX\n"
            "hint: konayuki site _site, or konayuki site --from notes.konayuki --out search"
        )
    if args.index is not None and args.out is None:
        raise InputError("--from needs --out DIR\nhint: the folder 'konayuki' in your site")
    if args.folder and args.cache and args.cache.resolve().is_relative_to(args.folder.resolve()):
        raise InputError(
            f"--cache {args.cache} lies in {args.folder}, which is published: "
            "expected a file outside of it\nhint: --cache .cache/konayuki.sqlite"
        )
    summary = _of_index(args) if args.index is not None else _of_pages(args)
    for reason in summary.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    if args.json:
        print(json.dumps(asdict(summary), ensure_ascii=False))
    else:
        print(_as_text(summary))
    return 1 if summary.skipped else 0


def _of_pages(args: argparse.Namespace) -> "Summary":
    from konayuki.ingest import Cutting
    from konayuki.model import StaticModel
    from konayuki.site import Settings, add_search

    return add_search(
        args.folder,
        args.out,
        StaticModel.load(args.model),
        Settings(args.dim, args.bits),
        cutting=Cutting(args.chunk_size),
        include=args.include,
        exclude=args.exclude,
        cache=args.cache,
    )


def _of_index(args: argparse.Namespace) -> "Summary":
    from konayuki.model import StaticModel
    from konayuki.search import Index
    from konayuki.site import Settings, build_site
    from konayuki.site.cache import opened

    model = StaticModel.load(args.model)
    settings = Settings(args.dim, args.bits)
    with Index.open(args.index, model, read_only=True) as index, opened(args.cache) as cache:
        return build_site(index.documents(), args.out, model, settings, cache=cache)


def _as_text(summary: "Summary") -> str:
    from konayuki.site.markup import script_tag

    lines = [
        f"{summary.out}: {summary.passages} passages of {summary.pages} pages, "
        f"{summary.total_bytes / 1e6:.1f} MB in {summary.files} files "
        f"({summary.written} written, {summary.removed} removed)"
    ]
    if summary.left_out:
        reasons = ", ".join(f"{number} {reason}" for reason, number in summary.left_out.items())
        lines.append(f"left out: {reasons}")
    folder = Path(summary.out).name
    lines.append(f"add to every page: {script_tag(f'/{folder}/')}")
    return "\n".join(lines)
