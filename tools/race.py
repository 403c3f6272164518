"""Encode and search from many threads at once, with equal results: for ThreadSanitizer.

Run `python tools/race.py --threads 8 --rounds 50`.
"""

import argparse
import sys
import threading

import numpy as np

from konayuki.model import StaticModel

TEXTS = [f"富士山の高さは{number}メートルである。Mt. Fuji {number}" for number in range(200)]


def main() -> int:
    """Run the threads; return 1 if a result differed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    model = StaticModel.load()
    expected = model.encode(TEXTS)
    different = []

    def work() -> None:
        for _ in range(arguments.rounds):
            if not np.array_equal(model.encode(TEXTS), expected):
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
