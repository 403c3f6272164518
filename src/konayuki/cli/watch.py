"""`konayuki watch`: keep a search index up to date with files while they change."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from konayuki.cli.index import add_reading, existing, index_at, reading_of
from konayuki.text import counted

if TYPE_CHECKING:
    from konayuki.ingest import Summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    add_reading(parser, "file or folder, see konayuki index")
    parser.add_argument(
        "--poll",
        action="store_true",
        help="look at all files again and again, for network drives that report no changes",
    )


def run(args: argparse.Namespace) -> int:
    """Index the files and follow their changes until Ctrl-C."""
    from konayuki.ingest.watching import watch

    files = [existing(path) for path in args.paths]
    cutting, selection, columns = reading_of(args)
    with index_at(args.out, args.model) as index:
        updates = watch(
            index,
            files,
            cutting,
            selection=selection,
            columns=columns,
            poll=args.poll,
            show_progress=not args.no_progress,
        )
        for number, summary in enumerate(updates):
            for problem in (*summary.skipped, *summary.warnings):
                print(problem, file=sys.stderr)
            if args.json:
                report = {"index": str(args.out), "documents": len(index), **asdict(summary)}
                print(json.dumps(report, ensure_ascii=False), flush=True)
                continue
            if number == 0:
                print(f"{args.out}: {len(index)} passages; watching, Ctrl-C ends it", flush=True)
            else:
                print(f"{time.strftime('%H:%M:%S')} {_as_line(summary)}", flush=True)
    return 0


def _as_line(summary: "Summary") -> str:
    moves = [f"{old} -> {new}" for old, new in summary.moved.items()]
    parts = [counted(summary.passages, "new passage"), f"{summary.removed} removed"]
    if summary.gone:
        parts.append(f"{counted(summary.gone, 'file')} gone")
    return ", ".join([*parts, *moves[:3], *(["…"] if len(moves) > 3 else [])])
