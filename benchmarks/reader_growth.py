"""Whether every reader takes time linear in its bytes, on ordinary and on hostile content.

    python benchmarks/reader_growth.py [--megabytes 1] [--rounds 3] [--json FILE]

Each content is read and cut into passages at one, two and four times the size; the result holds the
least processor time of some rounds in milliseconds, megabytes a second, and the growth from the
smallest to the largest: 4 is linear, 16 quadratic.
"""

import argparse
import json
import time
from pathlib import Path

from environment import environment
from konayuki.errors import FormatError
from konayuki.ingest.records import Remarks, records_of
from reader_inputs import INPUTS

RESULTS = Path(__file__).parent / "results"


def seconds(content: bytes, name: str, rounds: int) -> float:
    """Return the least processor time that reading and cutting took."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        try:
            for _record in records_of(content, name, remarks=Remarks()):
                pass
        except FormatError:
            pass  # a refusal has to be as fast
        best = min(best, time.process_time() - start)
    return best


def measure(suffix: str, what: str, size: int, rounds: int) -> dict[str, object]:
    """Return one line of the result."""
    contents = [INPUTS[suffix, what](factor * size).encode() for factor in (1, 2, 4)]
    times = [seconds(content, f"a{suffix}", rounds) for content in contents]
    return {
        "suffix": suffix,
        "content": what,
        "megabytes": [round(len(content) / 2**20, 2) for content in contents],
        "ms": [round(1e3 * value, 1) for value in times],
        "mb_per_s": round(len(contents[-1]) / 2**20 / times[-1], 1),
        "growth": round(times[-1] / times[0], 1),
    }


def main() -> None:
    """Measure all readers and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=float, default=1, help="smallest size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS / "reader_growth.json")
    args = parser.parse_args()
    lines = []
    for suffix, what in INPUTS:
        lines.append(measure(suffix, what, int(args.megabytes * 1e6), args.rounds))
        print(
            "{suffix:6} {content:24} {ms} ms, {mb_per_s} MB/s, growth {growth}".format(**lines[-1])
        )
    report = {"environment": environment(), "rounds": args.rounds, "readers": lines}
    args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
