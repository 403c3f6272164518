"""`konayuki index`: build or update a search index from files."""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.cli.options import is_index, path_of
from konayuki.errors import InputError
from konayuki.text import counted

if TYPE_CHECKING:
    from konayuki.ingest import Columns, Cutting, Selection, Summary
    from konayuki.search import Index


_SHOWN_MOVES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    from konayuki.ingest.kinds import kinds_in_words

    add_reading(
        parser,
        f"file or folder ({kinds_in_words()}); - reads JSONL from stdin; "
        "tables and JSONL have their text in a column 'text' or in that with the most letters, and "
        "may have 'id' (or '_id') and 'title'",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="also remove the passages of files that are not on disk any more, wherever they lay; "
        "those of a folder that is named go anyway",
    )


def add_reading(parser: argparse.ArgumentParser, paths: str) -> None:
    """Describe the arguments that say what is read, how, and where it goes.

    Args:
        parser: Takes them.
        paths: What help says of the paths.
    """
    parser.add_argument("paths", nargs="+", metavar="PATH", help=paths)
    parser.add_argument(
        "--out", required=True, type=path_of, metavar="DIR", help="folder of the index"
    )
    parser.add_argument(
        "--chunk-size", type=int, default=400, metavar="N", help="characters of a passage at most"
    )
    parser.add_argument(
        "--overlap", type=int, default=0, metavar="N", help="characters that passages share"
    )
    parser.add_argument(
        "--text-column",
        action="append",
        metavar="NAME",
        help="column of tables that holds the text; given several times, all of them together",
    )
    parser.add_argument("--id-column", metavar="NAME", help="column of tables that holds the id")
    parser.add_argument(
        "--title-column", metavar="NAME", help="column of tables that holds the title"
    )
    _add_selection(parser)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments that say which files are read and which stay."""
    from konayuki.ingest.walk import MAX_FILE_MB

    parser.add_argument(
        "--follow-links", action="store_true", help="follow links that lead out of a folder"
    )
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="PATTERN",
        help="read only files of folders that match this pattern, written as in .gitignore",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out files and folders that match this pattern",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="also read hidden files, those that .gitignore or .konayukiignore leave out, and "
        "node_modules and the like",
    )
    parser.add_argument(
        "--max-file-mb",
        type=int,
        default=MAX_FILE_MB,
        metavar="N",
        help="megabytes of a file at most; larger ones are skipped",
    )


def run(args: argparse.Namespace) -> int:
    """Index the files; return 1 if some in a folder, or some rows, could not be read."""
    from konayuki.ingest import update
    from konayuki.ingest.readers import STDIN, read_stdin
    from konayuki.ingest.records import Remarks

    cutting, selection, columns = reading_of(args)
    files = [existing(path) for path in args.paths if path != STDIN]
    with index_at(args.out, args.model) as index:
        remarks = Remarks()
        n_read = 0
        if STDIN in args.paths:
            n_read = index.add(read_stdin(cutting, remarks, columns=columns))
        summary = update(
            index,
            files,
            cutting,
            selection=selection,
            columns=columns,
            prune=args.prune,
            show_progress=not args.no_progress,
        )
        summary.passages += n_read
        summary.take("stdin", remarks)
        n_documents = len(index)
    for old, new in islice(summary.moved.items(), _SHOWN_MOVES):
        print(f"moved: {old} -> {new}", file=sys.stderr)
    for reason in summary.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        report = {"index": str(args.out), "documents": n_documents, **asdict(summary)}
        print(json.dumps(report, ensure_ascii=False))
    else:
        print(f"{args.out}: {counted(n_documents, 'passage')}; {_as_line(summary)}")
    return 1 if summary.skipped or summary.bad_rows else 0


def reading_of(args: argparse.Namespace) -> "tuple[Cutting, Selection, Columns]":
    """Return how files are cut, which are read, and what the columns of tables are."""
    from konayuki.ingest import Columns, Cutting, Selection

    selection = Selection(
        args.follow_links,
        tuple(args.include),
        tuple(args.exclude),
        args.all,
        args.max_file_mb << 20,
    )
    columns = Columns(tuple(args.text_column or ()), args.id_column or "", args.title_column or "")
    return Cutting(args.chunk_size, args.overlap), selection, columns


def existing(path: str) -> Path:
    """Return a path that exists: a mistyped name must not leave an empty index.

    Raises:
        InputError: It is "", which would be the working folder.
        NotFoundError: It does not exist.
    """
    from konayuki.ingest.files_on_disk import check_there

    if not path:
        raise InputError("PATH '': expected a file or a folder\nhint: . is the working folder")
    check_there(Path(path))
    return Path(path)


def index_at(folder: Path, model_name: str | None) -> "Index":
    """Return the index in a folder, a new one if there is none."""
    from konayuki.model import StaticModel
    from konayuki.search import Index

    model = StaticModel.load(model_name) if model_name else None
    if is_index(folder):
        return Index.open(folder, model)
    return Index.create(folder, model)


def _as_line(summary: "Summary") -> str:
    line = (
        f"{summary.passages} new from {counted(summary.files, 'file')} "
        f"({summary.unchanged} unchanged), {summary.removed} removed"
    )
    if summary.moved:
        line += f", {counted(len(summary.moved), 'file')} moved"
    if summary.gone:
        line += f", {counted(summary.gone, 'file')} gone"
    if summary.empty:
        line += f", {counted(summary.empty, 'empty row')} left out"
    if summary.ignored:
        kinds = ", ".join(suffix or "no suffix" for suffix in summary.ignored)
        n_others = counted(sum(summary.ignored.values()), "file")
        line += f", {n_others} of other kinds left out ({kinds})"
    for reason, number in summary.left_out.items():
        line += f", {number} {reason} left out"
    if summary.bad_rows:
        line += f", {counted(summary.bad_rows, 'unusable row')} left out"
    if summary.skipped:
        line += f", {len(summary.skipped)} skipped"
    return line
