"""`konayuki embed`: a corpus in files into the same rows with vectors."""

import argparse
import json
import sys
from dataclasses import asdict

from konayuki.scale.parts import PART_BYTES

MEGABYTE = 1 << 20
SHOWN_ERRORS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "input", help="Parquet or JSON Lines: file, folder, pattern or address (s3://, gs://, ...)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder or address to write to")
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--column", default="text", help="column with the texts")
    parser.add_argument("--vector-column", default="vector", help="column to add")
    parser.add_argument("--dim", type=int, help="keep only the first DIM outputs")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=["float32", "float16", "int8", "binary", "ubinary"],
        help="type of the values",
    )
    parser.add_argument(
        "--engine", default="local", choices=["local", "ray"], help="who does the work"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes or actors (default: one a core)"
    )
    parser.add_argument("--address", help="Ray cluster (default: Ray on this machine)")
    parser.add_argument(
        "--part-mb",
        type=int,
        default=PART_BYTES // MEGABYTE,
        metavar="N",
        help="megabytes of input that a worker takes at a time",
    )
    parser.add_argument("--json", action="store_true", help="write the report as a JSON object")


def run(args: argparse.Namespace) -> int:
    """Embed; return 1 where a part of the input could not be used."""
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
    if args.json:
        print(json.dumps({"out": args.out, **asdict(report)}, ensure_ascii=False))
    else:
        print(
            f"{args.out}: {report.rows} vectors in {report.parts} files "
            f"({report.unchanged} unchanged), {report.failed_rows} rows kept aside, "
            f"{len(report.errors)} parts failed, {report.seconds:.1f} s"
        )
    return 1 if report.errors else 0
