"""Evaluate the encoder, hybrid search and BM25 on every Japanese task of mteb.

python benchmarks/mteb_japanese.py --out results [--tasks JSTS ...] [--sets FOLDER]

Writes `OUT/results/OWNER__MODEL/REVISION/TASK.json` and `model_meta.json`, the layout of the public
repository of results; what is there is not run again. The tasks are downloaded from the Hugging
Face hub; `--sets` evaluates on local sets instead, which needs no network.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import mteb

from konayuki import StaticModel
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.integrations.mteb import MtebBm25, MtebEncoder, MtebSearch, retrieval_task

BENCHMARKS = ("JMTEB(v2)", "MTEB(jpn, v1)")  # the rest of the Japanese tasks follows
SEARCHED = {"Retrieval", "Reranking"}  # types of tasks that a search can do
MODELS: dict[str, Callable[[StaticModel], Any]] = {
    "encoder": MtebEncoder,
    "search": MtebSearch,
    "bm25": lambda _: MtebBm25(),
}


def main(arguments: list[str] | None = None) -> int:
    """Evaluate; return 1 if a task failed."""
    args = parser().parse_args(arguments)
    tasks = list(local_tasks(args.sets) if args.sets else hub_tasks(args.tasks))
    cache = mteb.ResultCache(args.out)
    model = StaticModel.load(args.model)
    failed = []
    for name in args.models:
        for task in tasks:
            if name != "encoder" and task.metadata.type not in SEARCHED:
                continue
            subject = MODELS[name](model)
            try:
                result = mteb.evaluate(subject, task, cache=cache, co2_tracker=False)
            except Exception as error:
                failed.append((name, task.metadata.name))
                print(f"{name} {task.metadata.name}: {reason(error)}", file=sys.stderr)
                continue
            finally:
                getattr(subject, "close", lambda: None)()
            scores = {one.task_name: one.get_score() for one in result.task_results}
            print(json.dumps({"model": subject.mteb_model_meta.name, **scores}), flush=True)
    if failed:
        print(f"{len(failed)} failed; the others are in {args.out}", file=sys.stderr)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", help="model folder or hub id (default: the bundled model)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tasks", nargs="+", help="default: every Japanese task")
    parser.add_argument("--sets", type=Path, help="folder of evaluation sets, instead of the hub")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser


def hub_tasks(names: list[str] | None) -> Iterable[Any]:
    """Return the Japanese part of every task that has one, those of the benchmarks first."""
    if names:
        return mteb.get_tasks(tasks=names, languages=["jpn"])
    first = [task for name in BENCHMARKS for task in mteb.get_benchmark(name).tasks]
    rest = mteb.get_tasks(languages=["jpn"], modalities=["text"], exclusive_modality_filter=True)
    return {task.metadata.name: task for task in [*first, *rest]}.values()


def local_tasks(folder: Path) -> Iterator[Any]:
    """Yield a task for each retrieval set of a folder."""
    for item in read_sets(folder):
        if isinstance(item, RetrievalSet):
            yield retrieval_task(item)


def reason(error: BaseException) -> str:
    """Return what failed in a line."""
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:200]}"


if __name__ == "__main__":
    sys.exit(main())
