"""The Trainer as the loop of a run: the folder of its results is that of `konayuki train`."""

from functools import partial, reduce
from typing import Any

import torch

from konayuki.errors import InputError
from konayuki.training.recipe import Recipe, all_keys
from konayuki.training.run import Loop
from trainer.engine import train_with_trainer
from trainer.processes import is_main_process, main_process_first, n_processes, wait_for_all

# What the Trainer does not do; these keys must keep their defaults.
UNKNOWN = ("source_batches", "token_dropout", "quantized_share", "runs", "start_share")


def check_recipe_for_trainer(recipe: Recipe) -> None:
    """Refuse a recipe that the Trainer cannot follow, before any data is read.

    Raises:
        InputError: Names the key.
    """
    for key in all_keys():
        table, _, name = key.name.rpartition(".")
        if (table == "training" and name in UNKNOWN) or table == "distillation":
            value = reduce(getattr, key.name.split("."), recipe)
            if value != key.field.default:
                raise InputError(
                    f"{key.name} is {value!r}: expected nothing, as the Trainer does not know it\n"
                    "hint: leave the key out, or use konayuki train"
                )
    longest = recipe.training.max_query_tokens, recipe.training.max_passage_tokens
    if len(set(longest)) > 1:
        raise InputError(
            "training.max_query_tokens and training.max_passage_tokens are "
            f"{longest[0]} and {longest[1]}: expected one number, "
            "as the Trainer cuts both sides alike"
        )


def trainer_loop(workers: int = 0) -> Loop:
    """Return the Trainer as the loop of `konayuki.training.run.train`.

    Under `torchrun` every process runs it; the first one writes.

    Args:
        workers: Processes that tokenise.
    """
    return Loop(
        train=partial(train_with_trainer, workers=workers),
        check=check_recipe_for_trainer,
        writes=is_main_process(),
        first=main_process_first,
        wait=wait_for_all,
        facts=_facts,
    )


def _facts(recipe: Recipe) -> dict[str, Any]:
    return {
        "trainer": "sentence-transformers",
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "precision": "bfloat16" if recipe.training.bf16 else "float32",
        "processes": n_processes(),
    }
