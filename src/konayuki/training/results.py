"""The results of a run: model folders, the record, the pictures, the model cards."""

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import konayuki
from konayuki.evaluation import Passage, RetrievalSet
from konayuki.evaluation.card import write_card
from konayuki.evaluation.card_facts import SCORES_FILE, SOURCES_FILE
from konayuki.evaluation.datasets import write_set
from konayuki.evaluation.plan import Plan, evaluate
from konayuki.evaluation.plots import Line, draw_history
from konayuki.evaluation.report import Report, as_json
from konayuki.files import replace_file
from konayuki.model import StaticModel
from konayuki.model.weights import Weights
from konayuki.training.development import named_scores, score_tasks
from konayuki.training.finish import LAYOUTS
from konayuki.training.job import Outcome
from konayuki.training.pair_store import StoredTexts
from konayuki.training.precision import product_dtype
from konayuki.training.preparation import Prepared
from konayuki.training.recipe import Recipe

RECORD = "train.json"
HELD_OUT = "held-out"
SUFFIX = "ndcg@10"


def record_of(
    recipe: Recipe,
    prepared: Prepared,
    outcome: Outcome,
    layouts: Mapping[str, Weights],
    wall_s: float,
    data: Path,
) -> dict[str, Any]:
    """Return what the run was and what it came to, as `train.json` keeps it.

    It holds the held-out scores of all layouts and of the model that the run started from.
    """
    store, tasks, dims = prepared.store, prepared.tasks, recipe.model.dims
    before = {"start": prepared.start.weights.crop(dims[0])} if prepared.start else {}
    return {
        "name": recipe.name,
        "licence": recipe.licence,
        "settings": recipe.as_dict(),
        "n_pairs": len(prepared.rows),
        "n_steps": outcome.n_steps,
        "wall_s": round(wall_s, 1),
        "data": str(data),
        "konayuki": konayuki.__version__,
        "sentence_transformers": version("sentence-transformers"),
        "torch": torch.__version__,
        "device": "cpu",
        "precision": str(product_dtype(recipe.training.bf16)).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "development": {
            layout: named_scores(score_tasks(weights, store, tasks, dims))
            for layout, weights in {**before, **layouts}.items()
        },
        "held_out": {
            task.name: {"queries": len(task.queries), "passages": len(task.corpus)}
            for task in tasks
        },
        "decontamination": list(store.dropped),
        "history": outcome.history,
    }


def write_results(
    recipe: Recipe,
    prepared: Prepared,
    layouts: Mapping[str, Weights],
    record: Mapping[str, Any],
    out: Path,
) -> None:
    """Write everything, the record last: a folder with it is complete."""
    lines = {
        source.name: f"{source.name}\t{len(source)}\t{source.origin}\t{source.licence}"
        for source in prepared.store.sources
    }
    for line in prepared.start.sources if prepared.start else ():  # what the start was trained on
        lines.setdefault(line.partition("\t")[0], line)
    table = ["file\trows\tsource\tlicence", *lines.values()]
    replace_file(out / SOURCES_FILE, "\n".join(table) + "\n")
    draw_run(record["history"], out)
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    if recipe.model.static_embedding:
        write_static_embedding(layouts[LAYOUTS[0]], prepared.tokenizer_json, out / LAYOUTS[0])
    else:
        _write_layouts(recipe, prepared, layouts, text, out)
    replace_file(out / RECORD, text)


def _write_layouts(
    recipe: Recipe, prepared: Prepared, layouts: Mapping[str, Weights], record: str, out: Path
) -> None:
    """Write the held-out tasks, and the model in both layouts with record, sources and card."""
    sets = development_sets(prepared) if prepared.tasks else []
    write_held_out([task.name for task in prepared.tasks], sets, out / HELD_OUT)
    for layout, weights in layouts.items():
        folder = out / layout
        StaticModel(weights, prepared.tokenizer_json).save(folder, layout)
        shutil.copy(out / SOURCES_FILE, folder / SOURCES_FILE)
        (folder / RECORD).write_text(record, encoding="utf-8")
        if sets:
            scores = tuple(evaluate(StaticModel.load(folder), sets, Plan(dims=recipe.model.dims)))
            report = as_json(Report(recipe.name, scores))
            (folder / SCORES_FILE).write_text(report, encoding="utf-8")
            write_card(folder, name=recipe.name)


def write_held_out(names: Sequence[str], sets: Sequence[RetrievalSet], folder: Path) -> None:
    """Write each set into a folder of its own; names of the hub have slashes, which become `--`."""
    for name, held_out in zip(names, sets, strict=True):
        write_set(held_out, folder / name.replace("/", "--"))


def write_static_embedding(weights: Weights, tokenizer_json: bytes, folder: Path) -> None:
    """Write the table as a model of sentence-transformers' own StaticEmbedding."""
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    try:  # sentence-transformers 6
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    except ImportError:
        from sentence_transformers.models import StaticEmbedding

    table = weights.table.rows(np.arange(weights.vocab_size), weights.dim)
    module = StaticEmbedding(Tokenizer.from_str(tokenizer_json.decode()), embedding_weights=table)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder))


def development_sets(prepared: Prepared) -> list[RetrievalSet]:
    """Return the held-out tasks as evaluation sets, named after their source."""
    texts = StoredTexts(prepared.store.text_folder())
    return [
        RetrievalSet(
            f"held out of {task.name}",
            {str(row): Passage(texts[number]) for row, number in enumerate(task.corpus)},
            {str(row): texts[number] for row, number in enumerate(task.queries)},
            {str(row): dict.fromkeys(map(str, rows), 1) for row, rows in enumerate(task.answers)},
        )
        for task in prepared.tasks
    ]


def draw_run(history: Sequence[Mapping[str, float]], out: Path) -> None:
    """Draw `loss.png`, and `ndcg.png` if held-out tasks were scored along the way."""
    losses = _line(history, "loss")
    if losses[0]:
        draw_history("Training loss", "loss", {"loss": losses}, out / "loss.png")
    names = dict.fromkeys(name for entry in history for name in entry if name.endswith(SUFFIX))
    if names:
        lines = {name.removesuffix(f"_{SUFFIX}"): _line(history, name) for name in names}
        if len(lines) == 2:  # one task and the mean of it
            lines.pop("mean")
        draw_history("Held-out tasks", "nDCG@10", lines, out / "ndcg.png")


def _line(history: Sequence[Mapping[str, float]], name: str) -> Line:
    points = [(entry["step"], entry[name]) for entry in history if name in entry]
    return [step for step, _ in points], [value for _, value in points]
