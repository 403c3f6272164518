"""How soon a search finds what was saved, renamed or deleted while `konayuki watch` runs.

    python benchmarks/watching.py [--files 1000] [--saves 30] [--json FILE]

The watch is a process of its own, the search an index in this one that was opened for reading only.
For each change: the time from the end of the change to the first search that shows it.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from environment import environment
from konayuki.search import Index

RESULTS = Path(__file__).parent / "results"
PATIENCE_S = 60.0


def seconds_until(holds: Callable[[], bool]) -> float:
    """Return how long it took until something was so."""
    start = time.perf_counter()
    while not holds():
        if time.perf_counter() - start > PATIENCE_S:
            raise TimeoutError
        time.sleep(0.005)
    return time.perf_counter() - start


def measure(folder: Path, index: Index, n_saves: int) -> dict[str, list[float]]:
    """Return the times of changes by their kind."""
    times: dict[str, list[float]] = {"save": [], "rename": [], "delete": []}
    pauses = random.Random(1)  # noqa: S311 - not for secrets

    def hits(number: int) -> list[str]:
        found = index.search(f'"合言葉{number}番"', 3, "lexical")
        return [h.metadata["path"] for h in found if f"合言葉{number}番" in h.text]

    for number in range(n_saves):
        new, renamed = folder / f"new{number}.md", folder / f"renamed{number}.md"
        time.sleep(pauses.uniform(0.3, 1.0))
        new.write_text(f"これは合言葉{number}番の覚え書きである。", "utf-8")
        times["save"].append(seconds_until(lambda n=number: bool(hits(n))))
        time.sleep(pauses.uniform(0.3, 1.0))
        new.rename(renamed)
        wanted = [renamed.as_posix()]
        times["rename"].append(seconds_until(lambda n=number, w=wanted: hits(n) == w))
        time.sleep(pauses.uniform(0.3, 1.0))
        renamed.unlink()
        times["delete"].append(seconds_until(lambda n=number: not hits(n)))
    return times


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000, help="files in the folder")
    parser.add_argument("--saves", type=int, default=30)
    parser.add_argument("--json", type=Path, default=RESULTS / "watching.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "notes", Path(place) / "i"
        folder.mkdir()
        for number in range(args.files):
            text = f"# 記録{number}\n{number}日目。雪が降り、道が凍った。"
            (folder / f"{number}.md").write_text(text, "utf-8")
        command = [sys.executable, "-m", "konayuki", "watch", str(folder), "--out", str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            process.stdout.readline()
            try:
                with Index.open(out, read_only=True) as index:
                    times = measure(folder, index, args.saves)
            finally:
                process.send_signal(signal.SIGINT)
    lines = [
        {
            "change": change,
            "n": len(values),
            "median_s": round(median(values), 2),
            "longest_s": round(max(values), 2),
            "within_1_s": round(sum(value <= 1 for value in values) / len(values), 2),
        }
        for change, values in times.items()
    ]
    report = {"environment": environment(["watchfiles"]), "files": args.files, "changes": lines}
    args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
