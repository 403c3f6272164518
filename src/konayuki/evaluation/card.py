"""The model card of a folder: metadata with every metric, tables, pictures, licences."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konayuki.evaluation import card_text, plots
from konayuki.evaluation.card_facts import CardFacts, read_facts
from konayuki.evaluation.dense import SetScores
from konayuki.evaluation.metrics import MAIN_METRIC
from konayuki.evaluation.plots import Line
from konayuki.evaluation.report import card_names
from konayuki.extras import require

if TYPE_CHECKING:
    from konayuki.model import StaticModel

ASSETS = "assets"
TAGS = ("sentence-transformers", "sentence-similarity", "feature-extraction", "dense")


def write_card(folder: Path, *, name: str | None = None, licence: str | None = None) -> Path:
    """Write README.md and its pictures into a model folder and return its path.

    The folder holds the model and `evaluation.json` (from `konayuki evaluate --json`), and may
    hold `train.json` and `SOURCES.tsv` of the run that made it.

    Args:
        folder: of the model.
        name: on the card; that of `train.json` or else of the folder unless given.
        licence: of the weights; that of `train.json` unless given, and none where it says none.

    Raises:
        NotFoundError: there is no model or no evaluation in the folder.
        InputError: the evaluation lacks the model's own dimension.
        DatasetError: one of the files is not what its name promises.
    """
    facts = read_facts(folder, name=name, licence=licence)
    assets = folder / ASSETS
    pictures = draw_pictures(facts, assets)
    text = card_text.render(facts, {key: f"{ASSETS}/{key}.png" for key in pictures})
    cards = require("huggingface_hub", "hub")
    content = f"---\n{metadata(facts).to_yaml()}\n---\n\n{text}"
    cards.ModelCard(content)  # refuses metadata that does not read back
    path = folder / "README.md"
    temporary = path.with_suffix(".md.new")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)
    return path


def short_card(model: "StaticModel", *, name: str, licence: str | None) -> str:
    """Return a card of a model that nobody has measured yet: what it is and how to load it."""
    from konayuki.model.weights import is_straight

    hub = require("huggingface_hub", "hub")
    head = hub.ModelCardData(
        language=["ja"],
        license=licence,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=list(TAGS),
        model_name=name,
    )
    bits = 4 if model.layout == "q4" else 32
    text = card_text.short(
        name, model.vocab_size, model.dim, bits, model.nbytes, straight=is_straight(model.weights)
    )
    return f"---\n{head.to_yaml()}\n---\n\n{text}"


def metadata(facts: CardFacts) -> Any:  # noqa: ANN401 - a class of an optional package
    """Return the card's metadata: `huggingface_hub.ModelCardData`, checked by it."""
    hub = require("huggingface_hub", "hub")
    results = list(_eval_results(facts))
    return hub.ModelCardData(
        language=["ja"],
        license=facts.licence or None,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=_tags(facts),
        metrics=list(dict.fromkeys(result.metric_type for result in results)),
        model_name=facts.name,
        eval_results=results,
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
    for one in retrieval:
        yield from _results_of(task, one.set_name, one.set_name, card_names(setting, one.metrics))
    if len(retrieval) > 1:
        name, kind = collection_name(retrieval)
        task = ("nano-beir", "Nano BEIR") if name.startswith("NanoBEIR") else task
        yield from _results_of(task, name, kind, card_names(setting, facts.report.mean(setting)))
    for one in facts.of_main(retrieval=False):
        task = ("semantic-similarity", "Semantic Similarity")
        yield from _results_of(task, one.set_name, one.set_name, one.metrics)


def collection_name(scores: Sequence[SetScores]) -> tuple[str, str]:
    """Return name and type of the mean over sets, in the form of the seed's card."""
    if all(one.set_name.startswith("Nano") for one in scores):
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
    plots.draw_architecture(
        facts.vocab_size,
        facts.dim,
        facts.bits,
        assets / "architecture.png",
        shorter=facts.shorter,
        straight=facts.straight,
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
    own = [setting for setting in dense if setting.bits == main.bits]
    by_dim: dict[str, Line] = {}
    if len(facts.of_main(retrieval=True)) > 1:
        by_dim["mean"] = _columns((s.dim or 0, report.mean(s)[MAIN_METRIC]) for s in own)
    for one in facts.of_main(retrieval=True):
        found = ((s, report.find(one.set_name, s)) for s in own)
        by_dim[one.set_name] = _columns(
            (s.dim or 0, scores.metrics[MAIN_METRIC]) for s, scores in found if scores
        )
    by_bits: dict[str, Line] = {}
    if len({setting.bits for setting in dense}) > 1:
        for dim in dict.fromkeys(setting.dim for setting in dense):
            points = [
                (s.bits or facts.bits, report.mean(s)[MAIN_METRIC]) for s in dense if s.dim == dim
            ]
            by_bits[f"{dim} dimensions"] = _columns(sorted(points))
    return by_dim, by_bits


def _columns(points: Iterable[tuple[float, float]]) -> Line:
    pairs = list(points)
    return [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
