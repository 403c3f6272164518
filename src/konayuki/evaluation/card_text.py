"""The text of a model card: `card_template.md`, filled with what is known about a model.

In the template, `{{name}}` stands for a value, and a line that is only an empty value is dropped;
`<!-- if name -->` to `<!-- end name -->` stays if `name` holds.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from konayuki.evaluation.card_facts import CardFacts, ModelFacts
from konayuki.evaluation.dense import Setting
from konayuki.evaluation.metrics import MAIN_METRIC

if TYPE_CHECKING:
    from konayuki.model.weights import Pooling

MAIN_COLUMNS = {"nDCG@10": "ndcg@10", "MRR@10": "mrr@10", "MAP@100": "map@100"}
SIMILARITY_COLUMNS = {"Spearman": "spearman_cosine", "Pearson": "pearson_cosine"}
CAPTIONS = {
    "curves": "Quality by dimension and bit width",
    "architecture": "Architecture",
    "loss": "Training loss",
    "ndcg": "nDCG@10 during training",
}
_BLOCK = re.compile(r"<!-- if (\w+) -->\n(.*?)<!-- end \1 -->\n", re.DOTALL)


def render(facts: CardFacts, pictures: Mapping[str, str]) -> str:
    """Return the card below its metadata.

    Args:
        facts: What is known about the model.
        pictures: Paths of the pictures, relative to the card, by the names in `CAPTIONS`.
    """
    shown = {name: f"![{CAPTIONS[name]}]({path})" for name, path in pictures.items()}
    sizes = ", ".join(map(str, facts.shorter))
    mean = facts.report.mean(facts.main_setting)
    return _filled(
        {
            **_model_values(facts.model),
            **{name: shown.get(name, "") for name in CAPTIONS},
            "result": f" It reaches a mean nDCG@10 of {mean[MAIN_METRIC]:.4f} on the sets below."
            if mean
            else "",
            "main_table": _main_table(facts),
            "similarity_table": _similarity_table(facts),
            "settings_table": _settings_table(facts),
            "titles": "表題と本文" if facts.report.titles else "本文",
            "matryoshka": sizes and f"(Matryoshka により {sizes} に短縮可能)",
            "shorter": sizes
            and f"先頭の {sizes} 次元だけを使うこともできます"
            "(`truncate_dim`、konayuki では `dim`)。",
            "licence_row": facts.licence and f"| ライセンス | {facts.licence} |",
            "weighting": _weighting(facts.model.pooling),
            "training": _training_table(facts),
            "sources": _sources_table(facts),
        },
        {"measured": True, "straight": facts.model.straight, "tanh": not facts.model.straight},
    )


def short(model: ModelFacts) -> str:
    """Return the card of a model without an evaluation, below its metadata."""
    return _filled({**_model_values(model), "result": "", "shorter": ""}, {"measured": False})


def _filled(values: Mapping[str, str], conditions: Mapping[str, bool]) -> str:
    """Return the template with these values, and the blocks whose condition holds."""
    text = files("konayuki.evaluation").joinpath("card_template.md").read_text("utf-8")
    while _BLOCK.search(text):  # blocks may hold blocks
        text = _BLOCK.sub(lambda block: block[2] if conditions[block[1]] else "", text)
    for name, value in values.items():
        text = text.replace(f"\n{{{{{name}}}}}\n", f"\n{value}\n" if value else "\n")
        text = text.replace(f"{{{{{name}}}}}", value)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _model_values(model: ModelFacts) -> dict[str, str]:
    n_parameters = model.vocab_size * model.dim + (0 if model.straight else 3 * model.dim)
    return {
        "name": model.name,
        "dim": f"{model.dim}",
        "bits": f"{model.bits}",
        "vocab_size": f"{model.vocab_size:,}",
        "n_parameters": f"{n_parameters:,}",
        "megabytes": f"{model.n_bytes / 1e6:.1f} MB",
        "module": "" if model.straight else " + Separable Dynamic Tanh",
        "weighted": "" if model.pooling.is_plain else "weighted ",
        "after_mean": "" if model.straight else ", a tanh per dimension",
    }


def _weighting(pooling: "Pooling") -> str:
    """Return what tokens count in the mean of their rows, nothing for the plain mean."""
    parts = []
    if not math.isinf(pooling.half_position):
        half = f"{pooling.half_position:g}"
        parts.append(f"位置 $i$(先頭が 0)のトークンを ${half} / ({half} + i)$ と数えます。")
    if pooling.tf_power != 1:
        parts.append(f"同じトークンの分は合計し、その {pooling.tf_power:g} 乗を重みにします。")
    return "平均は重み付きです。" + "".join(parts) if parts else ""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _main_table(facts: CardFacts) -> str:
    sets = facts.of_main(retrieval=True)
    columns = MAIN_COLUMNS.values()
    rows = [
        [scores.set_name, *(f"{scores.metrics[key]:.4f}" for key in columns)] for scores in sets
    ]
    if len(sets) > 1:
        mean = facts.report.mean(facts.main_setting)
        rows.insert(0, ["**平均**", *(f"**{mean[key]:.4f}**" for key in columns)])
    return markdown_table(["データセット", *MAIN_COLUMNS], rows) if rows else ""


def _similarity_table(facts: CardFacts) -> str:
    rows = [
        [scores.set_name, *(f"{scores.metrics[key]:.4f}" for key in SIMILARITY_COLUMNS.values())]
        for scores in facts.of_main(retrieval=False)
    ]
    return markdown_table(["文の類似度", *SIMILARITY_COLUMNS], rows) if rows else ""


def _settings_table(facts: CardFacts) -> str:
    """Return nDCG@10 under every measured setting, if there are several."""
    report = facts.report
    settings = [setting for setting in report.settings if report.mean(setting)]
    if len(settings) < 2:
        return ""
    names = [scores.set_name for scores in facts.of_main(retrieval=True)]
    rows = []
    for setting in settings:
        by_set = [report.find(name, setting) for name in names]
        values = [f"{scores.metrics[MAIN_METRIC]:.4f}" if scores else "" for scores in by_set]
        rows.append([_describe(setting), f"{report.mean(setting)[MAIN_METRIC]:.4f}", *values])
    return markdown_table(["nDCG@10", "平均", *names], rows)


def _describe(setting: Setting) -> str:
    mode = {"dense": "", "lexical": "BM25(文字2-gram)", "hybrid": "ハイブリッド"}[setting.mode]
    dim = "" if setting.dim is None else f"{setting.dim}次元"
    bits = "" if setting.bits is None else f"{setting.bits}ビット"
    return " ".join(filter(None, (mode, dim, bits)))


def _training_table(facts: CardFacts) -> str:
    if facts.training is None:
        return "学習の記録は同梱されていません。"
    return markdown_table(["設定", "値"], _flat(facts.training.settings))


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[list[str]]:
    """Yield name and value of every setting; nested tables get dotted names."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield [f"`{prefix}{key}`", f"{value}"]


def _sources_table(facts: CardFacts) -> str:
    if not facts.sources:
        return "学習データの一覧は同梱されていません。"
    rows = [[f"`{row.file}`", row.rows, row.source, row.licence] for row in facts.sources]
    return markdown_table(["ファイル", "件数", "出典", "ライセンス"], rows)
