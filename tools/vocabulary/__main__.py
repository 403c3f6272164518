"""Learn a vocabulary from files of pairs: `python -m vocabulary --help`."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from konayuki.errors import InputError, KonayukiError, NotFoundError
from konayuki.progress import track
from konayuki.training.decontamination import Decontaminator
from konayuki.training.recipe_file import read_toml
from konayuki.training.sources import COLUMNS, SUFFIXES, Pair, file_rows, text_of
from vocabulary.pieces import (
    VocabularySettings,
    count_runs,
    learn_pieces,
    merge_counts,
    write_tokenizer,
)


@dataclass(frozen=True)
class VocabularyRecipe:
    """What a vocabulary is learned from.

    Attributes:
        size: Pieces.
        smallest_count: Runs of one script that occur less often, weighted, are left out.
        weights: How much each occurrence in a file counts, by a prefix of the file's name; 1
            if none fits.
        decontaminate: Evaluation folders, relative to the data folder; pairs that show one of
            their texts are not counted, as in a training recipe.
    """

    size: int
    smallest_count: int
    weights: Mapping[str, float] = field(default_factory=dict)
    decontaminate: Sequence[str] = field(default=())


def read_vocabulary_recipe(path: Path) -> VocabularyRecipe:
    """Return the recipe of a TOML file.

    Raises:
        NotFoundError: The file does not exist.
        InputError: It is not TOML, or lacks a key or has one that is not known.
    """
    values = read_toml(path)
    keys = [key.name for key in fields(VocabularyRecipe)]
    missing = [name for name in keys[:2] if name not in values]
    wrong = [*(key for key in values if key not in keys), *missing]
    if wrong:
        raise InputError(f"{path}: key {wrong[0]!r} is unknown or missing; keys: {', '.join(keys)}")
    return VocabularyRecipe(**values)


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """Return the weight whose key is the longest prefix of a file's name, 1 if none is."""
    keys = [key for key in weights if name.startswith(key)]
    return float(weights[max(keys, key=len)]) if keys else 1.0


def count_file(path: Path, guard: Decontaminator) -> Counter[str]:
    """Return how often each run of one script occurs in the distinct texts of a file.

    Pairs that the guard drops do not count.
    """
    kept = list(guard.clean(_pairs_of(path), path.stem))
    # Texts are counted side by side, not pair by pair: the trainer's ties follow that order.
    texts = dict.fromkeys(pair.query for pair in kept)
    texts.update(dict.fromkeys(pair.positive for pair in kept))
    return count_runs(texts)


def _pairs_of(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a file untrimmed: those that training drops have pieces too."""
    for place, values in file_rows(path):
        query, positive = (text_of(values, column, place) or "" for column in COLUMNS[:2])
        yield Pair(query, positive)


def learn(recipe: VocabularyRecipe, data: Path, out: Path) -> list[dict[str, Any]]:
    """Learn and write a `tokenizer.json`; return which pairs were left out, and why.

    Raises:
        NotFoundError: The folder has no files of pairs.
        InputError: The texts are too few.
        DatasetError: A file cannot be read; the message names the line.
    """
    files = sorted(path for path in data.glob("*") if path.suffix in SUFFIXES)
    if not files:
        raise NotFoundError(
            f"no file of pairs in {data}: expected {' or '.join(SUFFIXES)}\n"
            "hint: name their folder with --data"
        )
    weights = [weight_of(path.name, recipe.weights) for path in files]
    guard = Decontaminator.of_folders([data / name for name in recipe.decontaminate])
    counters = [count_file(path, guard) for path in track(files, "count", unit="file")]
    settings = VocabularySettings(size=recipe.size, smallest_count=recipe.smallest_count)
    counts = merge_counts(list(zip(counters, weights, strict=True)), settings.smallest_count)
    write_tokenizer(learn_pieces(counts, settings), out)
    return guard.report()


def main() -> int:
    """Learn and write a `tokenizer.json`."""
    parser = argparse.ArgumentParser(description="Learn a vocabulary from files of pairs.")
    parser.add_argument(
        "recipe", type=Path, help="TOML with size, smallest_count, decontaminate and [weights]"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the files")
    parser.add_argument("--out", type=Path, required=True, help="the tokenizer.json to write")
    args = parser.parse_args()
    try:
        dropped = learn(read_vocabulary_recipe(args.recipe), args.data, args.out)
    except KonayukiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for row in dropped:
        sys.stderr.write(f"{row['source']}: {row['dropped']} pairs left out ({row['reason']})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
