"""What each number of a recipe may be."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from konayuki.errors import InputError
from konayuki.training.recipe import (
    DevelopmentSettings,
    DistillationSettings,
    DistillationSource,
    LossSettings,
    ModelSettings,
    SourceSettings,
    TrainingSettings,
)

MOST = 2**31 - 1  # of steps, seeds, rows and the like: what the libraries below take


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `above` and `below` leave out the ends themselves."""

    expected: str
    low: float = 0.0
    high: float = float(MOST)
    above: bool = False
    below: bool = False

    def holds(self, number: float) -> bool:
        """Say whether a number lies in it; nan and infinity lie in none."""
        if not math.isfinite(number):
            return False
        high_enough = number > self.low if self.above else number >= self.low
        return high_enough and (number < self.high if self.below else number <= self.high)


POSITIVE = Range("a number above 0", high=math.inf, above=True)
NOT_NEGATIVE = Range("0 or more", high=math.inf)
SHARE = Range("a number from 0 to 1", high=1.0)
DECAY = Range("a number from 0 to 1, but below 1", high=1.0, below=True)
COUNT = Range(f"a number above 0, at most {MOST}", low=1)
COUNT_OR_0 = Range(f"0 or more, at most {MOST}")
THREADS = Range("a number from 0 to 1024", high=1024)

# A number of a recipe that is not here is refused by a test.
RANGES: dict[type, dict[str, Range]] = {
    ModelSettings: {
        "dims": COUNT,
        "table_scale": POSITIVE,
        "rarity_power": NOT_NEGATIVE,
        "alpha": POSITIVE,
        "piece_share": SHARE,
        "piece_evenness": SHARE,
    },
    LossSettings: {"scale": POSITIVE, "dim_weights": POSITIVE},
    TrainingSettings: {
        "batch_size": COUNT,
        "gradient_accumulation": COUNT,
        "epochs": POSITIVE,
        "steps": COUNT_OR_0,
        "learning_rate": POSITIVE,
        "adam_beta1": DECAY,
        "adam_beta2": DECAY,
        "adam_epsilon": NOT_NEGATIVE,
        "max_grad_norm": NOT_NEGATIVE,
        "warmup_ratio": SHARE,
        "source_batches": SHARE,
        "max_query_tokens": COUNT_OR_0,
        "max_passage_tokens": COUNT_OR_0,
        "token_dropout": SHARE,
        "quantized_share": SHARE,
        "workers": THREADS,
        "runs": COUNT,
        "start_share": SHARE,
        "neighbour_share": SHARE,
        "seed": COUNT_OR_0,
        "threads": THREADS,
        "log_steps": COUNT,
        "evaluation_steps": COUNT_OR_0,
        "checkpoint_steps": COUNT_OR_0,
    },
    SourceSettings: {"weight": POSITIVE},
    DevelopmentSettings: {"held_out": COUNT, "queries": COUNT, "corpus": COUNT},
    DistillationSource: {"rows": COUNT_OR_0, "sentences": COUNT_OR_0, "crossed": COUNT_OR_0},
    DistillationSettings: {
        "weight": POSITIVE,
        "every": COUNT,
        "first_steps": COUNT_OR_0,
        "first_rate": POSITIVE,
        "batch_size": COUNT,
        "scale": POSITIVE,
        "teacher_scale": POSITIVE,
        "word_scale": NOT_NEGATIVE,
        "second_share": SHARE,
        "head_steps": COUNT_OR_0,
        "head_scale": POSITIVE,
        "paraphrase_scale": NOT_NEGATIVE,
        "crossed_weight": NOT_NEGATIVE,
    },
}


def check_ranges(recipe: object) -> None:
    """Refuse numbers that lie outside their range.

    Raises:
        InputError: names the first one, its value and the range.
    """
    for place, number, allowed in _numbers(recipe, ""):
        if not allowed.holds(number):
            raise InputError(f"{place} is {number}; expected {allowed.expected}")


def _numbers(section: Any, place: str) -> Iterator[tuple[str, float, Range]]:  # noqa: ANN401
    """Yield every number of a section and those inside it, with its key and its range."""
    ranges = RANGES.get(type(section), {})
    for field in dataclasses.fields(section):
        name, value = f"{place}{field.name}", getattr(section, field.name)
        for end, one in _items(value):
            if dataclasses.is_dataclass(one):
                yield from _numbers(one, f"{name}{end}.")
            elif field.name in ranges:
                yield f"{name}{end}", one, ranges[field.name]


def _items(value: object) -> list[tuple[str, Any]]:
    if isinstance(value, tuple):
        return [(f"[{number}]", one) for number, one in enumerate(value)]
    return [("", value)]
