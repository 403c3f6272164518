"""How often the file that answers is found in a folder as people have it, by kind of file.

    python benchmarks/folder.py [--json FILE]

The folder and its questions are those of tests/ingest. For each kind: the number of questions that
its files answer, and the share for which such a file is the first hit, or among the first three.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from environment import environment
from konayuki.ingest import update
from konayuki.ingest.kinds import kind_of
from konayuki.search import Index

RESULTS = Path(__file__).parent / "results"
sys.path.append(str(Path(__file__).parents[1] / "tests"))
from ingest.folder_files import questions, write_folder  # noqa: E402


def measure(folder: Path) -> tuple[int, int, dict[str, list[int]], list[dict[str, object]]]:
    """Return files, passages, the ranks of the right files by kind, and what was missed."""
    ranks: dict[str, list[int]] = defaultdict(list)
    missed: list[dict[str, object]] = []
    with Index.create(folder.with_name("i")) as index:
        summary = update(index, [folder])
        for asked in questions():
            name = (folder / asked["file"]).as_posix()
            hits = [hit.metadata["path"] for hit in index.search(asked["question"], 10)]
            rank = hits.index(name) + 1 if name in hits else 0
            kind = kind_of(asked["file"])
            ranks[kind.name if kind else "other"].append(rank)
            if not 1 <= rank <= 3:
                missed.append({**asked, "rank": rank})
        return summary.files, len(index), dict(ranks), missed


def share(ranks: list[int], most: int) -> float:
    """Return the share of ranks from 1 to `most`."""
    return round(sum(1 <= rank <= most for rank in ranks) / len(ranks), 3)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, default=RESULTS / "folder.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write_folder(Path(place) / "folder")
        n_files, n_passages, by_kind, missed = measure(Path(place) / "folder")
    everything = [rank for ranks in by_kind.values() for rank in ranks]
    lines = [
        {
            "kind": kind,
            "questions": len(ranks),
            "first": share(ranks, 1),
            "in_three": share(ranks, 3),
        }
        for kind, ranks in [*sorted(by_kind.items()), ("all", everything)]
    ]
    report = {
        "environment": environment(["pypdfium2"]),
        "files": n_files,
        "passages": n_passages,
        "kinds": lines,
        "missed": missed,
    }
    args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for line in lines:
        print("| {kind} | {questions} | {first:.2f} | {in_three:.2f} |".format(**line))
    print(json.dumps(missed, ensure_ascii=False))


if __name__ == "__main__":
    main()
