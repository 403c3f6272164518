"""The model card of a folder: metadata with every metric, tables, pictures, licences."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konayuki.evaluation import card_text, plots
from konayuki.evaluation.card_facts import CardFacts, model_facts, read_facts
from konayuki.evaluation.dense import SetScores
from konayuki.evaluation.metrics import MAIN_METRIC
from konayuki.evaluation.plots import Line
from konayuki.evaluation.report import card_names
from konayuki.extras import require
from konayuki.files import replace_file

if TYPE_CHECKING:
    from konayuki.model import StaticModel

ASSETS = "assets"
TAGS = ("sentence-transformers", "sentence-similarity", "feature-extraction", "dense")


def write_card(folder: Path, *, name: str | None = None, licence: str | None = None) -> Path:
    """Write README.md and its pictures into a model folder and return its path.

    The folder holds the model and `evaluation.json` (from `konayuki evaluate --json`), and may
    hold `train.json` and `SOURCES.tsv` of the run that made it.

    Args:
        folder: The model folder.
        name: Name on the card; default: that of `train.json`, or else of the folder.
        licence: Licence of the weights; default: that of `train.json`, or none.

    Raises:
        NotFoundError: The folder holds no model or no evaluation.
        InputError: The evaluation lacks the model's own dimension.
        DatasetError: One of the files is not what its name promises.
    """
    facts = read_facts(folder, name=name, licence=licence)
    assets = folder / ASSETS
    pictures = draw_pictures(facts, assets)
    text = card_text.render(facts, {key: f"{ASSETS}/{key}.png" for key in pictures})
    cards = require("huggingface_hub", "hub")
    content = f"---\n{metadata(facts).to_yaml()}\n---\n\n{text}"
    cards.ModelCard(content)  # refuses metadata that does not read back
    path = folder / "README.md"
    replace_file(path, content)
    return path


def short_card(model: "StaticModel", *, name: str, licence: str | None) -> str:
    """Return a card for a model without an evaluation: what it is and how to load it."""
    head = _card_data(license=licence, tags=list(TAGS), model_name=name)
    return f"---\n{head.to_yaml()}\n---\n\n{card_text.short(model_facts(model, name))}"


def metadata(facts: CardFacts) -> Any:  # noqa: ANN401 - a class of an optional package
    """Return the card's metadata: `huggingface_hub.ModelCardData`, checked by it."""
    results = list(_eval_results(facts))
    return _card_data(
        license=facts.licence or None,
        tags=_tags(facts),
        metrics=list(dict.fromkeys(result.metric_type for result in results)),
        model_name=facts.model.name,
        eval_results=results,
    )


def _card_data(**values: object) -> Any:  # noqa: ANN401 - a class of an optional package
    return require("huggingface_hub", "hub").ModelCardData(
        language=["ja"],
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        **values,
    )


def _tags(facts: CardFacts) -> list[str]:
    if facts.training is None:
        return list(TAGS)
    size = [] if facts.training.n_pairs is None else [f"dataset_size:{facts.training.n_pairs}"]
    dims = facts.training.dims
    nested = [] if dims is not None and len(dims) < 2 else ["loss:MatryoshkaLoss"]
    ranking = "loss:MultipleNegativesRankingLoss"
    return [*TAGS, "generated_from_trainer", *size, *nested, ranking]


def _eval_results(facts: CardFacts) -> Iterator[Any]:
    setting = facts.main_setting
    retrieval = facts.of_main(retrieval=True)
    task = ("information-retrieval", "Information Retrieval")
    for scores in retrieval:
        name = scores.set_name
        yield from _results_of(task, name, name, card_names(setting, scores.metrics))
    if len(retrieval) > 1:
        name, kind = collection_name(retrieval)
        task = ("nano-beir", "Nano BEIR") if name.startswith("NanoBEIR") else task
        yield from _results_of(task, name, kind, card_names(setting, facts.report.mean(setting)))
    for scores in facts.of_main(retrieval=False):
        task = ("semantic-similarity", "Semantic Similarity")
        yield from _results_of(task, scores.set_name, scores.set_name, scores.metrics)


def collection_name(scores: Sequence[SetScores]) -> tuple[str, str]:
    """Return name and type of the mean over sets, in the form of the original SSE model's card."""
    if all(of_set.set_name.startswith("Nano") for of_set in scores):
        return "NanoBEIR mean", "NanoBEIR_mean"
    return f"mean of {len(scores)} sets", "mean"


def _results_of(
    task: tuple[str, str], name: str, kind: str, metrics: dict[str, float]
) -> Iterator[Any]:
    hub = require("huggingface_hub", "hub")
    for metric, value in metrics.items():
        yield hub.EvalResult(
            task_type=task[0],
            task_name=task[1],
            dataset_name=name,
            dataset_type=kind,
            metric_type=metric,
            metric_value=value,
            metric_name=metric.replace("_", " ").title(),
        )


def draw_pictures(facts: CardFacts, assets: Path) -> list[str]:
    """Draw what the facts allow and return the names of the pictures."""
    drawn = ["architecture"]
    model = facts.model
    plots.draw_architecture(
        model.vocab_size,
        model.dim,
        model.bits,
        assets / "architecture.png",
        shorter=facts.shorter,
        straight=model.straight,
    )
    by_dim, by_bits = curves(facts)
    if any(len(xs) > 1 for xs, _ in [*by_dim.values(), *by_bits.values()]):
        plots.draw_curves(by_dim, by_bits, assets / "curves.png")
        drawn.append("curves")
    if facts.training and facts.training.losses:
        lines = {"loss": _columns(facts.training.losses)}
        plots.draw_history("Training loss", "loss", lines, assets / "loss.png")
        drawn.append("loss")
    if facts.training and facts.training.ndcgs:
        lines = {"nDCG@10": _columns(facts.training.ndcgs)}
        title = "Development sets during training"
        plots.draw_history(title, "nDCG@10", lines, assets / "ndcg.png")
        drawn.append("ndcg")
    return drawn


def curves(facts: CardFacts) -> tuple[dict[str, Line], dict[str, Line]]:
    """Return nDCG@10 by dimension for each set and the mean, and by bits for each dimension."""
    main, report = facts.main_setting, facts.report
    dense = [s for s in report.settings if s.mode == "dense" and report.mean(s)]
    as_stored = [setting for setting in dense if setting.bits == main.bits]
    by_dim: dict[str, Line] = {}
    if len(facts.of_main(retrieval=True)) > 1:
        by_dim["mean"] = _columns((s.dim or 0, report.mean(s)[MAIN_METRIC]) for s in as_stored)
    for name in (scores.set_name for scores in facts.of_main(retrieval=True)):
        measured = ((s, report.find(name, s)) for s in as_stored)
        by_dim[name] = _columns(
            (s.dim or 0, scores.metrics[MAIN_METRIC]) for s, scores in measured if scores
        )
    by_bits: dict[str, Line] = {}
    if len({setting.bits for setting in dense}) > 1:
        for dim in dict.fromkeys(setting.dim for setting in dense):
            points = [
                (s.bits or facts.model.bits, report.mean(s)[MAIN_METRIC])
                for s in dense
                if s.dim == dim
            ]
            by_bits[f"{dim} dimensions"] = _columns(sorted(points))
    return by_dim, by_bits


def _columns(points: Iterable[tuple[float, float]]) -> Line:
    pairs = list(points)
    return [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
