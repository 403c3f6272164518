"""Steps per second of the fused engine against the Trainer of sentence-transformers.

    PYTHONPATH=tools python benchmarks/training.py --pairs FILE.parquet [--out FILE.json]

The same recipe, pairs, batch size and network in the same process; the engines take turns. Wall
time is what a user waits for, processor time is what a busy machine does not change. Neither
counts what happens before the first step; the first steps of a turn warm up. The last line is JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from environment import environment
from konayuki.training.job import Job
from konayuki.training.optimisation import Optimisation
from konayuki.training.preparation import Prepared, network_of, prepare
from konayuki.training.recipe import Recipe
from konayuki.training.recipe_file import recipe_from
from trainer.engine import train_with_trainer

RESULT = Path(__file__).parent / "results" / "training.json"
PACKAGES = ("numpy", "torch", "sentence-transformers", "transformers", "datasets", "tokenizers")
WARM_UP = 2  # steps of a turn

Clock = tuple[float, float]  # wall, processor
Turn = Callable[[], list[Clock]]


def now() -> Clock:
    """Return wall and processor time in seconds."""
    return time.perf_counter(), time.process_time()


class StepClock(TrainerCallback):
    """Notes when each step of the Trainer ended."""

    def __init__(self) -> None:
        self.ends: list[Clock] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Note the time."""
        self.ends.append(now())


def main() -> None:
    """Measure both engines and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=Path, required=True, help="Parquet with query, positive")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=10, help="of a turn, warm-up included")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = recipe_from(
        {
            "sources": [{"files": options.pairs.name}],
            "training": {
                "batch_size": options.batch,
                "gradient_accumulation": 1,
                "steps": options.steps,
                "log_steps": 10_000,
            },
        }
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = now()
        prepared = prepare(recipe, options.pairs.parent, folder, folder)
        preparation_s = now()[0] - before[0]
        turns: dict[str, Turn] = {
            "fused": lambda: fused_turn(recipe, prepared, folder),
            "sentence-transformers": lambda: stock_turn(recipe, prepared, folder),
        }
        steps: dict[str, list[Clock]] = {name: [] for name in turns}
        for _ in range(options.turns):
            for name, turn in turns.items():
                steps[name] += durations(turn())
    rows = [row_of(name, found) for name, found in steps.items()]
    record = {
        "environment": {**environment(PACKAGES), "threads": options.threads},
        "batch": options.batch,
        "pairs": len(prepared.store.pairs),
        "tokens_per_pair": round(2 * len(prepared.store.ids) / prepared.store.n_texts, 1),
        "preparation_s": round(preparation_s, 2),
        "rows": rows,
        "ratio_wall": round(rows[1]["wall_s"] / rows[0]["wall_s"], 2),
        "ratio_cpu": round(rows[1]["cpu_s"] / rows[0]["cpu_s"], 2),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: record[key] for key in ("rows", "ratio_wall", "ratio_cpu")}))


def fused_turn(recipe: Recipe, prepared: Prepared, folder: Path) -> list[Clock]:
    """Train with our own loop; return when each step ended."""
    network = network_of(prepared, recipe, folder, folder)
    run = Optimisation(network, prepared.store, prepared.rows, recipe)
    return [now() for _ in run.steps()]


def stock_turn(recipe: Recipe, prepared: Prepared, folder: Path) -> list[Clock]:
    """Train with the Trainer; return when each step ended."""
    clock = StepClock()
    network = network_of(prepared, recipe, folder, folder)
    train_with_trainer(
        Job(recipe, prepared, network, folder, show_progress=False), callbacks=[clock]
    )
    return clock.ends


def durations(ends: list[Clock]) -> list[Clock]:
    """Return what each step took after the warm-up."""
    pairs = zip(ends[WARM_UP - 1 :], ends[WARM_UP:], strict=False)
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairs]


def row_of(name: str, found: list[Clock]) -> dict[str, Any]:
    """Return medians of an engine's steps, with the least and the most."""
    walls, processor = (sorted(column) for column in zip(*found, strict=True))
    return {
        "engine": name,
        "n_steps": len(found),
        "steps_per_s": round(1 / statistics.median(walls), 3),
        "wall_s": round(statistics.median(walls), 4),
        "wall_s_range": [round(walls[0], 4), round(walls[-1], 4)],
        "cpu_s": round(statistics.median(processor), 4),
        "cpu_s_range": [round(processor[0], 4), round(processor[-1], 4)],
    }


if __name__ == "__main__":
    main()
