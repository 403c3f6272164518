"""`konayuki cluster`: texts into groups by meaning."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", type=Path, help="JSON Lines, CSV, TSV or Parquet")
    parser.add_argument(
        "-k", type=int, help="groups (default: the root of half the texts, at most 200)"
    )
    parser.add_argument(
        "--out", type=Path, help="file for the rows with a column `cluster`: .jsonl or as FILE"
    )
    parser.add_argument("--column", default="text", help="column with the texts")
    parser.add_argument("--examples", type=int, default=3, help="texts to show of each group")
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--dim", type=int, help="compare only the first DIM outputs")
    parser.add_argument("--seed", type=int, default=0, help="of the first centres")
    parser.add_argument("--json", action="store_true", help="write one JSON object a group")


def run(args: argparse.Namespace) -> int:
    """Print the groups, largest first, with the words and the texts that are typical of each."""
    import numpy as np

    from konayuki.model import StaticModel
    from konayuki.progress import track
    from konayuki.scale.clusters import find_clusters, name_clusters, sample_rows
    from konayuki.scale.tables import TextTable

    table = TextTable(args.file, args.column)
    texts = track(table.texts(), "cluster", unit="text")
    model = StaticModel.load(args.model)
    found = find_clusters(texts, args.k, model=model, dim=args.dim, seed=args.seed)
    n_clusters = len(found.centres)
    nearest = [found.nearest(cluster, args.examples) for cluster in range(n_clusters)]
    sample = sample_rows(len(found.labels), np.random.default_rng(args.seed)).tolist()
    shown = table.texts_at({*sample, *(row for rows in nearest for row in rows)})
    named = name_clusters({row: shown[row] for row in sample}, found.labels, n_clusters)
    for cluster, (rows, words) in enumerate(zip(nearest, named, strict=True)):
        examples = [{"row": row, "text": shown[row]} for row in rows]
        size = int(found.sizes[cluster])
        if args.json:
            record = {"cluster": cluster, "size": size, "words": words, "examples": examples}
            print(json.dumps(record, ensure_ascii=False))
            continue
        print(f"{cluster}: {size} texts, {'・'.join(words)}")
        for example in examples:
            print(f"  {example['text']}")
    if args.out:
        labels = found.labels
        table.write(args.out, lambda row, values: {**values, "cluster": int(labels[row])})
    return 0
