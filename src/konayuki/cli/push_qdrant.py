"""`konayuki push-qdrant`: an index or embedded files into a Qdrant collection."""

import argparse
import json
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("source", help="index folder, or Parquet files of konayuki embed")
    parser.add_argument(
        "url", help="server, such as http://localhost:6333, or a folder for the local mode"
    )
    parser.add_argument("collection", help="name of the collection; created if it does not exist")
    parser.add_argument(
        "--quantization",
        default="int8",
        choices=["int8", "binary", "none"],
        help="form of the dense vectors in the server's memory",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY[:KIND]",
        help="metadata to index for filters, such as lang or year:integer; repeat for more",
    )
    parser.add_argument(
        "--id-column", default="id", metavar="NAME", help="column of Parquet files with the ids"
    )
    parser.add_argument(
        "--vector-column",
        default="vector",
        metavar="NAME",
        help="column of Parquet files with the vectors",
    )
    parser.add_argument(
        "--recreate", action="store_true", help="replace an existing collection of this name"
    )


def run(args: argparse.Namespace) -> int:
    """Push; QDRANT_API_KEY holds the key, if the server asks for one."""
    from konayuki.scale import QdrantSink, connect, open_passages

    passages = open_passages(
        args.source,
        id_column=args.id_column,
        text_column=args.column,
        vector_column=args.vector_column,
    )
    client = connect(args.url, os.environ.get("QDRANT_API_KEY"))
    try:
        sink = QdrantSink(
            client,
            args.collection,
            quantization=args.quantization,
            filters=args.filter,
            recreate=args.recreate,
        )
        n_points = sink.write(passages, show_progress=True)
    finally:
        client.close()
    if args.json:
        print(json.dumps({"collection": args.collection, "points": n_points, "url": args.url}))
    else:
        print(f"{args.url} {args.collection}: {n_points} points")
    return 0
