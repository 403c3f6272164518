"""`konayuki embed`: the rows of a corpus in files, with a vector each."""

import argparse
import json
import sys
from dataclasses import asdict

from konayuki.choices import PLAIN_DTYPES
from konayuki.cli.options import place
from konayuki.scale.parts import PART_BYTES

MEGABYTE = 1 << 20
SHOWN_ERRORS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "input", help="Parquet or JSON Lines: file, folder, pattern or address (s3://, gs://, ...)"
    )
    parser.add_argument(
        "--out", required=True, type=place, metavar="DIR", help="folder or address to write to"
    )
    parser.add_argument(
        "--vector-column", default="vector", metavar="NAME", help="column to add for the vectors"
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=PLAIN_DTYPES,
        help="type of a value",
    )
    parser.add_argument(
        "--engine", default="local", choices=["local", "ray"], help="what runs the workers"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes or actors (default: one per core)"
    )
    parser.add_argument("--address", help="address of a Ray cluster (default: Ray on this machine)")
    parser.add_argument(
        "--part-mb",
        type=int,
        default=PART_BYTES // MEGABYTE,
        metavar="N",
        help="megabytes of input that a worker takes at a time",
    )


def run(args: argparse.Namespace) -> int:
    """Embed; return 1 if a file, a part of one, or a row could not be used."""
    from konayuki.scale.embedding import EmbedSettings, embed

    settings = EmbedSettings(
        model=args.model,
        text_column=args.column,
        vector_column=args.vector_column,
        dim=args.dim,
        dtype=args.dtype,
        part_bytes=args.part_mb * MEGABYTE,
    )
    report = embed(
        args.input,
        args.out,
        settings,
        engine=args.engine,
        workers=args.workers,
        address=args.address,
        show_progress=True,
    )
    for error in report.errors[:SHOWN_ERRORS]:
        print(f"failed: {error}", file=sys.stderr)
    if report.failed_rows:
        print(f"failed: {report.failed_rows} rows: see {args.out}/_failed", file=sys.stderr)
    if args.json:
        print(json.dumps({"out": args.out, **asdict(report)}, ensure_ascii=False))
    else:
        print(
            f"{args.out}: {report.rows} vectors in {report.parts} files "
            f"({report.unchanged} unchanged), {report.failed_rows} rows set aside, "
            f"{len(report.errors)} parts failed, {report.seconds:.1f} s"
        )
    return 1 if report.errors or report.failed_rows else 0
