"""Build the development collection: retrieval tasks whose sources training never sees.

    python tools/spelling/build.py --out DEV/spelling ...
    python tools/development/build.py --data DATA/pairs --out DEV

`DEV/tasks/NAME/` holds `corpus.parquet`, `queries.parquet` and `qrels.parquet` (BEIR layout),
`DEV/train/` links to the files that are left to train on, `DEV/all/` to all of them, both with the
spellings of DEV/spelling, and `DEV/README.md` lists tasks and files.
"""

import argparse
import csv
import hashlib
import shutil
import sys
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CORPUS = 4000
QUERIES = 300
READ_BY_TOKENIZER = {"spelling-kanji-form"}  # 國 and 国 are one piece: nothing is left to learn
TASKS = Path(__file__).with_name("tasks.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the pairs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--tasks", type=Path, default=TASKS, help="default: tasks.toml next to this script"
    )
    options = parser.parse_args(arguments)
    tasks = tomllib.loads(options.tasks.read_text(encoding="utf-8"))["tasks"]
    rows = [_build_task(task, options.data, options.out / "tasks") for task in tasks]
    held = {name for task in tasks for name in (task["file"], *task.get("keep", []))}
    known = {path.stem for path in options.data.glob("*.parquet")}
    if missing := sorted(held - known):
        sys.exit(f"{options.data}: no file for {', '.join(missing)}: expected those of tasks.toml")
    folders = [options.data, options.out / "spelling" / "pairs"]
    left = _link_training_files(folders, options.out / "train", {*held, *READ_BY_TOKENIZER})
    _link_training_files(folders, options.out / "all", READ_BY_TOKENIZER)
    link(options.out / "eval", options.data.parent / "eval")
    _write_readme(options.out / "README.md", rows, held, left)
    print(f"{len(rows)} tasks, {len(held)} files held out, {len(left)} left to train on")
    return 0


def _order(text: str) -> bytes:
    """Return a key that shuffles texts the same way on every machine."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _build_task(task: dict[str, Any], data: Path, folder: Path) -> dict[str, Any]:
    """Write one task; return what the README says of it."""
    table = pq.read_table(data / f"{task['file']}.parquet", columns=["query", "positive"])
    pairs = sorted(
        {(row["query"], row["positive"]) for row in table.to_pylist() if all(row.values())}
    )
    answers: dict[str, set[str]] = {}
    for query, passage in pairs:
        answers.setdefault(query, set()).add(passage)
    asked = sorted(answers, key=_order)[:QUERIES]
    right = {passage for query in asked for passage in answers[query]}
    others = sorted({passage for _, passage in pairs} - right, key=_order)
    corpus = sorted(right) + others[: max(0, CORPUS - len(right))]
    number = {passage: f"d{place}" for place, passage in enumerate(corpus)}
    qrels = [
        {"query-id": f"q{place}", "corpus-id": number[passage], "score": 1}
        for place, query in enumerate(asked)
        for passage in sorted(answers[query])
    ]
    target = folder / task["name"]
    target.mkdir(parents=True, exist_ok=True)
    texts = [{"_id": number[passage], "title": "", "text": passage} for passage in corpus]
    queries = [{"_id": f"q{place}", "text": query} for place, query in enumerate(asked)]
    for name, content in (("corpus", texts), ("queries", queries), ("qrels", qrels)):
        pq.write_table(pa.Table.from_pylist(content), target / f"{name}.parquet")
    return {**task, "queries": len(queries), "passages": len(corpus)}


def _link_training_files(folders: Sequence[Path], out: Path, held: Set[str]) -> list[str]:
    """Link the files that are not held out, and write their SOURCES.tsv; return their names."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    left = []
    rows: list[list[str]] = []
    for folder in folders:
        if not folder.is_dir():
            sys.exit(f"there is no folder {folder}: expected pairs\nhint: tools/spelling/build.py")
        names = sorted({path.stem for path in folder.glob("*.parquet")} - held)
        for name in names:
            link(out / f"{name}.parquet", folder / f"{name}.parquet")
        with (folder / "SOURCES.tsv").open(encoding="utf-8", newline="") as file:
            heading, *lines = csv.reader(file, delimiter="\t")
        rows += [row for row in lines if row[0].removesuffix(".parquet") not in held]
        left += names
    with (out / "SOURCES.tsv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([heading, *rows])
    return left


def link(place: Path, target: Path) -> None:
    """Make a link, in the place of an older one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target.resolve())


def _write_readme(
    path: Path, tasks: Sequence[dict[str, Any]], held: set[str], left: Sequence[str]
) -> None:
    lines = [
        "# Development collection",
        "",
        "Built by tools/development/build.py. The files below are held out of training whole, so a",
        "model that was trained on `train/` knows none of these sources. A model that was trained",
        "on all pairs (the bundled one) is flattered here.",
        "",
        "| task | kind | file | questions | passages |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {task['name']} | {task['kind']} | {task['file']} | {task['queries']} "
        f"| {task['passages']} |"
        for task in tasks
    ]
    lines += ["", f"Held out: {', '.join(sorted(held))}.", "", f"Left: {', '.join(left)}.", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
