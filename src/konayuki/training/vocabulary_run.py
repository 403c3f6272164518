"""Learn a vocabulary from Parquet pairs: `python -m konayuki.training.vocabulary_run --help`."""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.progress import track
from konayuki.training.vocabulary import (
    VocabularySettings,
    count_runs,
    learn_pieces,
    merge_counts,
    write_tokenizer,
)

COLUMNS = ("query", "positive")


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """Return the weight whose key is the longest prefix of a file's name.

    Raises:
        InputError: no key fits.
    """
    keys = [key for key in weights if name.startswith(key)]
    if not keys:
        raise InputError(f"no weight for {name}; the keys are {', '.join(weights)}")
    return float(weights[max(keys, key=len)])


def count_file(path: Path) -> Counter[str]:
    """Return how often each run of one script occurs in the distinct texts of a file."""
    table = require("pyarrow.parquet", "train").read_table(path, columns=list(COLUMNS))
    texts: dict[str, None] = {}
    for column in COLUMNS:
        texts.update(dict.fromkeys(table[column].to_pylist()))
    return count_runs(texts)


def main() -> int:
    """Learn and write a `tokenizer.json`."""
    parser = argparse.ArgumentParser(description="Learn a vocabulary from Parquet pairs.")
    parser.add_argument("recipe", type=Path, help="TOML with size, smallest_count and [weights]")
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="the tokenizer.json to write")
    args = parser.parse_args()
    toml = require("tomllib" if sys.version_info >= (3, 11) else "tomli", "train")
    recipe = toml.loads(args.recipe.read_text(encoding="utf-8"))
    files = sorted(args.data.glob("*.parquet"))
    if not files:
        raise NotFoundError(f"no Parquet files in {args.data}")
    counts = [
        (count_file(path), weight_of(path.name, recipe["weights"]))
        for path in track(files, "count", unit="file")
    ]
    settings = VocabularySettings(size=recipe["size"], smallest_count=recipe["smallest_count"])
    pieces = learn_pieces(merge_counts(counts, settings.smallest_count), settings)
    write_tokenizer(pieces, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
