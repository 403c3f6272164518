"""How long a folder of many files takes to index, and to look at again when nothing has changed.

    python benchmarks/folder_speed.py [--files 10000] [--json FILE]

The files are copies of those in tests/ingest with a line of their own, a tenth of them of kinds
that are not plain text (without PDF, of which each is read by a process of its own). Every run is a
process of its own, from start to end. Also one log of 30 MB, and a PDF of 500 pages.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from environment import environment
from japanese_pdf import pdf_of_lines

RESULTS = Path(__file__).parent / "results"
TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(TESTS))
from ingest.folder_files import TEXTS, binaries  # noqa: E402


def write_files(folder: Path, n_files: int) -> None:
    """Write so many files, a hundred a folder."""
    texts = [path for path in sorted(TEXTS.rglob("*")) if path.suffix in (".md", ".txt", ".org")]
    others = [
        (n, c) for n, c in sorted(binaries().items()) if n.endswith((".docx", ".xlsx", ".eml"))
    ]
    for number in range(n_files):
        place = folder / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        if number % 10 == 0:
            name, content = others[number // 10 % len(others)]
            (place / f"{number}-{Path(name).name}").write_bytes(content)
        else:
            path = texts[number % len(texts)]
            text = f"{path.read_text('utf-8')}\n控えの番号は{number}です。\n"
            (place / f"{number}-{path.name}").write_text(text, "utf-8")


def run(path: Path, index: Path) -> dict[str, Any]:
    """Index a path in a process of its own; return seconds, peak memory and what it did."""
    command = [sys.executable, "-m", "konayuki", "index", str(path), "--out", str(index), "--json"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        report = json.loads(process.stdout.read())
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / 1024),
        **{key: report[key] for key in ("files", "unchanged", "passages")},
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=RESULTS / "folder_speed.json")
    args = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folder"
        write_files(folder, args.files)
        time.sleep(2.5)  # what has just changed is read again
        runs["first"] = run(folder, Path(place) / "i")
        runs["second, nothing changed"] = run(folder, Path(place) / "i")
        log = Path(place) / "server.log"
        line = "2024-04-01 12:00:00 INFO 受付番号 {} の処理が {} ミリ秒で終わりました\n"
        with log.open("wb") as file:
            number = 0
            while file.tell() < 30 << 20:
                number += 1
                file.write(line.format(number, number % 977).encode())
        runs["log of 30 MB"] = run(log, Path(place) / "log")
        pages = [[f"第{n}頁の{m}行目の文です。" for m in range(35)] for n in range(500)]
        (Path(place) / "a.pdf").write_bytes(pdf_of_lines(pages))
        runs["PDF of 500 pages"] = run(Path(place) / "a.pdf", Path(place) / "pdf")
    for name, line_ in runs.items():
        print(name, line_)
    report = {"environment": environment(["pypdfium2"]), "runs": runs}
    args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
