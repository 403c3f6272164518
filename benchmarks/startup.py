"""How long a fresh process takes to its first vector and to `import konayuki`, over `import numpy`.

`python benchmarks/startup.py` writes results/startup.json; the last line on stdout is JSON.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from environment import environment

RESULTS = Path(__file__).parent / "results" / "startup.json"
RUNS = 15
CASES = {
    "import numpy": "import numpy",
    "import konayuki": "import konayuki",
    "first vector": "import konayuki; konayuki.StaticModel.load().encode('粉雪が舞う')",
}
MEMORY = """
import os, sys
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
import numpy
before = resident()
import konayuki
model = konayuki.StaticModel.load()
vectors = model.encode(f"{n} 番目の文です。今日はよく晴れている。" for n in range(20_000))
print(resident() - before - vectors.nbytes / 1e6, model.nbytes / 1e6)
"""


def seconds(code: str) -> float:
    """Return the wall time of a fresh process that runs the code."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure the cases in turn, so that a busy moment meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for code in CASES.values():
        seconds(code)  # warms the page cache
    for _ in range(RUNS):
        for name, code in CASES.items():
            times[name].append(seconds(code))
    base = times["import numpy"]
    over = {
        name: round(1000 * statistics.median(a - b for a, b in zip(found, base, strict=True)), 1)
        for name, found in times.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True
    )
    growth, weights = map(float, done.stdout.split())
    record = {
        "runs": RUNS,
        "ms_over_import_numpy_median": over,
        "import_numpy_ms_median": round(1000 * statistics.median(base), 1),
        "growth_after_20000_texts_mb": round(growth, 1),
        "weights_mb": round(weights, 2),
        **environment(("numpy", "sentencepiece")),
    }
    RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record))


if __name__ == "__main__":
    main()
