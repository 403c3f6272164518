"""Writes files of synthetic pairs, made by rule from the passages of files of pairs.

Two files are written for each, with the columns of any other file of pairs: `synth-questions-FILE`
and `synth-cloze-FILE`. A query that is among the held-out queries is dropped, compared after NFKC,
and so is one that several passages lead to: it identifies none of them.

    python -m make_queries.files PAIRS OUT --held-out EVAL FILE FILE:when,who ...
"""

import argparse
import logging
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

from konayuki.errors import DatasetError, NotFoundError
from konayuki.files import replacing
from konayuki.training.decontamination import folded
from make_queries.rules import RULES, SyntheticPair, synthesize

logger = logging.getLogger(__name__)


def synthesize_file(
    pairs: Path,
    out: Path,
    file: str,
    *,
    rules: Sequence[str] = RULES,
    held_out: Container[str] = frozenset(),
    seed: int = 0,
) -> dict[str, int]:
    """Write the synthetic pairs of `pairs/FILE.parquet` to `out` and return how many of each rule.

    Raises:
        NotFoundError: The file does not exist.
        DatasetError: It has no columns `query` and `positive`.
        InputError: One of `rules` is unknown.
    """
    passages, headings = _read_passages(pairs / f"{file}.parquet")
    synthetic = synthesize(passages, headings, seed=seed, rules=rules)
    kept = [pair for pair in asked_once(synthetic) if folded(pair.query) not in held_out]
    for name, chosen in [
        ("cloze", [pair for pair in kept if pair.rule == "cloze"]),
        ("questions", [pair for pair in kept if pair.rule != "cloze"]),
    ]:
        if chosen:
            write_pairs(out / f"synth-{name}-{file}.parquet", chosen)
    counts = {rule: sum(pair.rule == rule for pair in kept) for rule in rules}
    logger.info("%s: %d passages, %s", file, len(passages), counts)
    return counts


def asked_once(pairs: Iterable[SyntheticPair]) -> list[SyntheticPair]:
    """Return the pairs whose query no other pair has, in their order."""
    all_pairs = list(pairs)
    counts = Counter(folded(pair.query) for pair in all_pairs)
    return [pair for pair in all_pairs if counts[folded(pair.query)] == 1]


def write_pairs(path: Path, pairs: Sequence[SyntheticPair]) -> None:
    """Write `pairs` as Parquet with the columns `query` and `positive`."""
    table = pyarrow.table(
        {"query": [pair.query for pair in pairs], "positive": [pair.positive for pair in pairs]}
    )
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def held_out_queries(folders: Iterable[Path]) -> frozenset[str]:
    """Return the folded text of every query of the evaluation sets below `folders`."""
    files = sorted(file for folder in folders for file in folder.rglob("queries.parquet"))
    tables = (parquet.read_table(file, columns=["text"]) for file in files)
    return frozenset(folded(text) for table in tables for text in table["text"].to_pylist())


def _read_passages(path: Path) -> tuple[list[str], list[str]]:
    """Return the distinct passages of a file and the first query of each."""
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file of pairs")
    if missing := {"query", "positive"} - set(parquet.read_schema(path).names):
        raise DatasetError(f"{path}: no column {', '.join(sorted(missing))}")
    table = parquet.read_table(path, columns=["query", "positive"])
    first: dict[str, str] = {}
    queries, positives = table["query"].to_pylist(), table["positive"].to_pylist()
    for query, positive in zip(queries, positives, strict=True):
        first.setdefault(positive, query)
    return list(first), list(first.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the synthetic pairs of the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("file", nargs="+", help="NAME, or NAME:RULE,RULE to use some rules only")
    parser.add_argument("--held-out", action="append", type=Path, default=[])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.out.mkdir(parents=True, exist_ok=True)
    held_out = held_out_queries(options.held_out)
    for named in options.file:
        file, _, rules = named.partition(":")
        synthesize_file(
            options.pairs,
            options.out,
            file,
            rules=rules.split(",") if rules else RULES,
            held_out=held_out,
            seed=options.seed,
        )


if __name__ == "__main__":
    main()
