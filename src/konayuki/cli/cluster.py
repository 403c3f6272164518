"""`konayuki cluster`: texts into groups by meaning."""

import argparse
import json

from konayuki.cli.options import add_table_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_table_files(parser, "the rows with a column 'cluster'")
    parser.add_argument(
        "-k",
        type=int,
        metavar="N",
        help="number of groups (default: the square root of half the texts, at most 200)",
    )
    parser.add_argument("--examples", type=int, default=3, metavar="N", help="texts per group")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first centres")


def run(args: argparse.Namespace) -> int:
    """Print the groups, largest first, with the words and the texts typical of each."""
    import numpy as np

    from konayuki.model import StaticModel
    from konayuki.progress import track
    from konayuki.scale.clusters import find_clusters, name_clusters, sample_rows
    from konayuki.scale.text_table import open_table

    with open_table(args.file, args.column) as table:
        texts = track(table.texts(), "cluster", unit="text")
        model = StaticModel.load(args.model)
        clusters = find_clusters(texts, args.k, model=model, dim=args.dim, seed=args.seed)
        n_clusters = len(clusters.centres)
        nearest = [clusters.nearest(cluster, args.examples) for cluster in range(n_clusters)]
        sample = sample_rows(len(clusters.labels), np.random.default_rng(args.seed)).tolist()
        text_by_row = table.texts_at({*sample, *(row for rows in nearest for row in rows)})
        sampled_texts = {row: text_by_row[row] for row in sample}
        names = name_clusters(sampled_texts, clusters.labels, n_clusters)
        for cluster, (rows, words) in enumerate(zip(nearest, names, strict=True)):
            examples = [{"row": row, "text": text_by_row[row]} for row in rows]
            size = int(clusters.sizes[cluster])
            if args.json:
                record = {"cluster": cluster, "size": size, "words": words, "examples": examples}
                print(json.dumps(record, ensure_ascii=False))
                continue
            print(f"{cluster}: {size} texts, {'・'.join(words)}")
            for example in examples:
                print(f"  {example['text']}")
        if args.out:
            labels = clusters.labels
            table.write(args.out, lambda row, values: {**values, "cluster": int(labels[row])})
    return 0
