"""Encode, tokenize and score from many threads at once, with equal results: for ThreadSanitizer.

A new model is loaded for every round, so that its table of characters is filled by all threads.

Run `python tools/race.py --threads 8 --rounds 50`.
"""

import argparse
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.model import StaticModel
from konayuki.model.late import Passages

TEXTS = [f"富士山の高さは{number}メートルである。Mt. Fuji {number}" for number in range(200)]


def results(model: StaticModel) -> list[NDArray[Any]]:
    """Return vectors, ids, and the scores of all texts as passages of a question."""
    vectors, batch = model.encode(TEXTS), model.tokenize(TEXTS)
    lengths = model.late.sentence_lengths(batch.ids, batch.offsets)
    places = np.arange(len(TEXTS), dtype=np.int64)
    ends = np.diff(batch.offsets).astype(np.uint32)
    spans = (batch.offsets[:-1].copy(), batch.offsets[1:].copy(), places, places + 1)
    query = model.late.query(batch.ids[:20], np.ones(model.vocab_size, np.float32))
    return [
        vectors,
        batch.ids,
        *model.late.score(query, Passages(batch.ids, ends, lengths, *spans)),
    ]


def main() -> int:
    """Run the threads; return 1 if a result differed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    models = [StaticModel.load() for _ in range(arguments.rounds)]
    expected = results(StaticModel.load())
    different = []

    def work() -> None:
        for model in models:
            if not all(map(np.array_equal, results(model), expected)):
                different.append(1)

    threads = [threading.Thread(target=work) for _ in range(arguments.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{arguments.threads} threads, {arguments.rounds} rounds: {len(different)} different")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
