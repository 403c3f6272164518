"""`konayuki info`: what a model or an index is made of."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.cli.options import is_index, place

if TYPE_CHECKING:
    from konayuki.model import StaticModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "source",
        nargs="?",
        type=place,
        help="model folder, hub id or index (default: the bundled model)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the facts, one per line or as JSON."""
    source = args.source
    is_model = source is None or not is_index(Path(source))
    facts = model_facts(source) if is_model else index_facts(source)
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        text = f"{value:,}" if isinstance(value, int) else value
        print(f"{name.replace('_', ' '):<{width}}{text}")
    return 0


def model_facts(source: str | None) -> dict[str, object]:
    """Return what a model is made of."""
    from konayuki.model import StaticModel
    from konayuki.model.native import describe

    model = StaticModel.load(source)
    return {
        "model": source or "bundled",
        "dim": model.dim,
        "vocab_size": model.vocab_size,
        "bytes": model.nbytes,
        "layout": model.layout,
        "pooling": _pooling(model),
        "tokenizer": model.tokenizer_backend,
        "kernel": describe(),
        "fingerprint": model.fingerprint,
    }


def _pooling(model: "StaticModel") -> str:
    pooling = model.weights.pooling
    if pooling.is_plain:
        return "mean"
    return f"weighted mean, power {pooling.tf_power:g}, half position {pooling.half_position:g}"


def index_facts(source: str) -> dict[str, object]:
    """Return what an index is made of."""
    from konayuki.search import Index

    return {"index": source, **Index.open(source).info()}
