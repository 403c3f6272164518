"""Cut the tasks that `konayuki train-ranker` learns from, and print its command.

    python tools/development/ranker_tasks.py --development DEV --recipe RECIPE --data DEV/all

`DEV/ranker/unseen` links to the tasks of `DEV/tasks` that tasks.toml marks with `ranker`: whole
sources that a model trained on `DEV/train` has not seen. `DEV/ranker/seen` holds the tasks that
RECIPE holds out: new questions and passages of sources that its model knows. The pairs are
tokenised into CACHE, where training finds them again (`konayuki train --cache CACHE`).
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from build import TASKS, link, tomllib

from konayuki.training.development import Task
from konayuki.training.pair_store import StoredTexts
from konayuki.training.preparation import prepare
from konayuki.training.recipe_file import read_recipe

# Tasks of one source are left out together when the weights are judged.
SAME_SOURCE = (("facts-questions", "qa-jemhopqa-train"), ("news", "gen-wikinews"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Cut what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--development", type=Path, required=True, help="folder of build.py")
    parser.add_argument("--recipe", type=Path, required=True, help="recipe of the model")
    parser.add_argument("--data", type=Path, required=True, help="folder of its pairs")
    parser.add_argument("--cache", type=Path, help="folder of tokenised pairs (default: DEV/cache)")
    parser.add_argument("--tasks", type=Path, default=TASKS, help="default: tasks.toml beside this")
    options = parser.parse_args(arguments)
    marks = tomllib.loads(options.tasks.read_text(encoding="utf-8"))
    target = options.development / "ranker"
    unseen = {task["name"]: task["ranker"] for task in marks["tasks"] if "ranker" in task}
    for name in unseen:
        link(target / "unseen" / name, options.development / "tasks" / name)
    seen = {task["source"]: task["ranker"] for task in marks["seen"]}
    cache = options.cache or options.development / "cache"
    n_tasks = cut_seen(options.recipe, options.data, cache, target / "seen", set(seen))
    if n_tasks < len(seen):
        sys.exit(f"{options.recipe}: {n_tasks} of the tasks {', '.join(seen)}: expected them all")
    calibrated = [name for name, use in {**unseen, **seen}.items() if use == "relevance"]
    print(command(target, calibrated))
    return 0


def cut_seen(recipe_path: Path, data: Path, cache: Path, target: Path, names: set[str]) -> int:
    """Write the tasks of these sources that a recipe holds out; return how many there are."""
    recipe = read_recipe(recipe_path)
    teacherless = recipe.distillation.model_copy(update={"teacher": "", "second_teacher": ""})
    recipe = recipe.model_copy(update={"distillation": teacherless})
    prepared = prepare(recipe, data, cache, recipe_path.parent)
    texts = StoredTexts(prepared.store.text_folder())
    chosen = [task for task in prepared.tasks if task.name in names]
    for task in chosen:
        write_task(task, texts, target / task.name)
        print(f"{task.name}: {len(task.queries)} questions, {len(task.corpus)} passages")
    return len(chosen)


def write_task(task: Task, texts: StoredTexts, folder: Path) -> None:
    """Write a task in BEIR layout."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "corpus": [
            {"_id": f"d{row}", "title": "", "text": texts[int(number)]}
            for row, number in enumerate(task.corpus)
        ],
        "queries": [
            {"_id": f"q{row}", "text": texts[int(number)]}
            for row, number in enumerate(task.queries)
        ],
        "qrels": [
            {"query-id": f"q{row}", "corpus-id": f"d{answer}", "score": 1}
            for row, answers in enumerate(task.answers)
            for answer in sorted(answers)
        ],
    }
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


def command(folder: Path, calibrated: Sequence[str]) -> str:
    """Return the command that learns from the tasks; UNSEEN and MODEL are left to fill in."""
    words = ["konayuki", "train-ranker", "--fold", "UNSEEN", str(folder / "unseen")]
    words += ["--fold", "MODEL", str(folder / "seen"), "--for", "MODEL"]
    for names in SAME_SOURCE:
        words += ["--same-source", *names]
    words += ["--calibrate", *calibrated, "--out", "MODEL/ranker.json", "--report", "REPORT.json"]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
