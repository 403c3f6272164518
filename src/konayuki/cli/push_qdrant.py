"""`konayuki push-qdrant`: an index or embedded files into a Qdrant collection."""

import argparse
import json
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("source", help="index folder, or Parquet files of konayuki embed")
    parser.add_argument("url", help="server, as in http://localhost:6333, or folder of local mode")
    parser.add_argument("collection", help="name of the collection; made unless it is there")
    parser.add_argument(
        "--quantization",
        default="int8",
        choices=["int8", "binary", "none"],
        help="what the server holds in memory of a dense vector",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY[:KIND]",
        help="metadata to index for filters, as in lang or year:integer; may be given again",
    )
    parser.add_argument("--id-column", default="id", help="column of Parquet files with the ids")
    parser.add_argument("--column", default="text", help="column of Parquet files with the texts")
    parser.add_argument(
        "--vector-column", default="vector", help="column of Parquet files with the vectors"
    )
    parser.add_argument("--recreate", action="store_true", help="replace a collection of this name")
    parser.add_argument("--json", action="store_true", help="write the summary as a JSON object")


def run(args: argparse.Namespace) -> int:
    """Push; the key of a server that wants one is read from QDRANT_API_KEY."""
    from konayuki.scale.passages import open_passages
    from konayuki.scale.qdrant import connect, push

    passages = open_passages(
        args.source,
        id_column=args.id_column,
        text_column=args.column,
        vector_column=args.vector_column,
    )
    client = connect(args.url, os.environ.get("QDRANT_API_KEY"))
    try:
        n_points = push(
            client,
            args.collection,
            passages,
            quantization=args.quantization,
            filters=args.filter,
            recreate=args.recreate,
            show_progress=True,
        )
    finally:
        client.close()
    if args.json:
        print(json.dumps({"collection": args.collection, "points": n_points, "url": args.url}))
    else:
        print(f"{args.url} {args.collection}: {n_points} points")
    return 0
