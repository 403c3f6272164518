"""`konayuki bench`: how fast this machine turns texts into vectors."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from konayuki.cli.encode import lines_of
from konayuki.errors import InputError

if TYPE_CHECKING:
    from konayuki.model import StaticModel

N_SINGLES = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "file", nargs="?", help="texts, one per line; - is stdin (default: built-in texts)"
    )
    parser.add_argument(
        "--texts", type=int, default=2000, metavar="N", help="number of built-in texts of each kind"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, metavar="N", help="measurements; the fastest one counts"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processors to use")


def run(args: argparse.Namespace) -> int:
    """Measure each kind of texts, and print a line or a JSON object for each."""
    from konayuki.model import StaticModel
    from konayuki.model.native.binding import THREADS_VARIABLE

    if min(args.threads, args.texts, args.rounds) < 1:
        raise InputError("--threads, --texts and --rounds: expected at least 1")
    os.environ[THREADS_VARIABLE] = str(args.threads)
    model = StaticModel.load(args.model)
    for kind, texts in texts_by_kind(args.file, args.texts).items():
        figures = {"kind": kind, "threads": args.threads, **timed(model, texts, args.rounds)}
        if args.json:
            print(json.dumps(figures))
        else:
            print(
                f"{kind}: {figures['texts_per_s']:,} texts/s, "
                f"{figures['tokens_per_s']:,} tokens/s, one text {figures['one_text_us']} us"
            )
    return 0


def texts_by_kind(file: str | None, n_texts: int) -> dict[str, list[str]]:
    """Return the lines of a file, or the built-in questions and passages.

    Raises:
        InputError: The file holds no texts.
    """
    if file is None:
        from konayuki.cli.sample_texts import sample_texts

        return sample_texts(n_texts)
    with lines_of(file) as lines:
        texts = [line for line in lines if line.strip()]
    if not texts:
        raise InputError(f"{file} holds no texts: expected one per line")
    return {"texts": texts}


def timed(model: "StaticModel", texts: Sequence[str], n_rounds: int) -> dict[str, float]:
    """Return the fastest of the rounds over all texts, and the median time of one text."""
    n_tokens = int(model.tokenize(texts).offsets[-1])
    seconds = min(_seconds(model, texts) for _ in range(n_rounds + 1))  # the first one warms up
    singles = [_seconds(model, [text]) for text in texts[:N_SINGLES]]
    return {
        "texts": len(texts),
        "tokens": n_tokens,
        "texts_per_s": round(len(texts) / seconds),
        "tokens_per_s": round(n_tokens / seconds),
        "one_text_us": round(1e6 * statistics.median(singles), 2),
    }


def _seconds(model: "StaticModel", texts: Sequence[str]) -> float:
    start = time.perf_counter()
    model.encode(texts)
    return time.perf_counter() - start
