"""The text of a model card: Japanese, as its readers are, under an English summary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from konayuki.evaluation.card_facts import CardFacts
from konayuki.evaluation.dense import Setting
from konayuki.evaluation.metrics import MAIN_METRIC

MAIN_COLUMNS = (("nDCG@10", "ndcg@10"), ("MRR@10", "mrr@10"), ("MAP@100", "map@100"))

USAGE = """\
konayuki(torch 不要)で読み込む場合:

```python
import konayuki

model = konayuki.StaticModel.load("{name}")
vectors = model.encode(["富士山の高さは?", "日本一高い山は標高3776メートルである。"])
print(model.similarity(vectors[:1], vectors[1:]))
```

sentence-transformers で読み込む場合:

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}", trust_remote_code=True, device="cpu")
embeddings = model.encode(
    ["富士山の高さは?", "日本一高い山は標高3776メートルである。"],
    convert_to_tensor=True,
    normalize_embeddings=True,
)
print(model.similarity(embeddings[0], embeddings[1]))
```"""

SHORTER = "先頭の {sizes} 次元だけを使うこともできます(`truncate_dim`、konayuki では `dim`)。"

MATHS = """\
テキストをトークンに分け、各トークンの行を平均し、次元ごとに tanh を通します。

$$ y_k = c_k \\tanh(a_k x_k + b_k) $$

$x$ はトークンの行の平均、$a, b, c$ は次元ごとに学習されます。tanh は平均の後で次元ごとに働くので、
先頭 $d$ 次元だけの表は、先頭 $d$ 次元の出力を誤差なく与えます。"""

STRAIGHT_MATHS = """\
テキストをトークンに分け、各トークンの行を平均します。

$$ y_k = x_k $$

$x$ はトークンの行の平均です。フォルダの形式が持つ tanh は学習されておらず、単精度では直線なので、
平均をそのまま返します。先頭 $d$ 次元だけの表は、先頭 $d$ 次元の出力を誤差なく与えます。"""

CITATIONS = """\
```bibtex
@inproceedings{reimers-2019-sentence-bert,
  title = "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
  author = "Reimers, Nils and Gurevych, Iryna",
  booktitle = "Proceedings of EMNLP-IJCNLP 2019",
  year = "2019",
  url = "https://arxiv.org/abs/1908.10084",
}
@misc{kusupati2024matryoshka,
  title = {Matryoshka Representation Learning},
  author = {Kusupati, Aditya and Bhatt, Gantavya and Rege, Aniket and Wallingford, Matthew and
            Sinha, Aditya and Ramanujan, Vivek and Howard-Snyder, William and Chen, Kaifeng and
            Kakade, Sham and Jain, Prateek and Farhadi, Ali},
  year = {2024},
  eprint = {2205.13147},
  archivePrefix = {arXiv},
}
@misc{henderson2017efficient,
  title = {Efficient Natural Language Response Suggestion for Smart Reply},
  author = {Henderson, Matthew and Al-Rfou, Rami and Strope, Brian and Sung, Yun-hsuan and
            Lukacs, Laszlo and Guo, Ruiqi and Kumar, Sanjiv and Miklos, Balint and Kurzweil, Ray},
  year = {2017},
  eprint = {1705.00652},
  archivePrefix = {arXiv},
}
@misc{zhu2025transformers,
  title = {Transformers without Normalization},
  author = {Zhu, Jiachen and Chen, Xinlei and He, Kaiming and LeCun, Yann and Liu, Zhuang},
  year = {2025},
  eprint = {2503.10622},
  archivePrefix = {arXiv},
}
```"""


def render(facts: CardFacts, pictures: Mapping[str, str]) -> str:
    """Return the card below its metadata; `pictures` maps names to paths beside the card."""
    sections = [
        f"# {facts.name}\n\n{summary(facts)}",
        f"## 評価\n\n{evaluation(facts, pictures)}",
        f"## モデルの詳細\n\n{details(facts, pictures)}",
        f"## 使い方\n\n{usage(facts)}",
        f"## 学習\n\n{training(facts, pictures)}",
        f"## 学習データとライセンス\n\n{sources(facts)}",
        f"## 引用\n\n{CITATIONS}",
    ]
    return "\n\n".join(sections) + "\n"


def short(
    name: str, vocab_size: int, dim: int, bits: int, n_bytes: int, *, straight: bool = False
) -> str:
    """Return the card of a model without an evaluation, below its metadata."""
    return (
        f"# {name}\n\n"
        "A static sentence embedding model for Japanese search on ordinary CPUs: one row of "
        f"{dim} numbers for each of {vocab_size:,} tokens, {_after_rows(straight)}. "
        f"{bits}-bit weights, {megabytes(n_bytes)} in memory.\n\n"
        f"## 使い方\n\n{USAGE.format(name=name)}\n"
    )


def summary(facts: CardFacts) -> str:
    """Return what the model is, in English, with the one number."""
    mean = facts.report.mean(facts.main_setting)
    scores = (
        f" It reaches a mean nDCG@10 of {mean[MAIN_METRIC]:.4f} on the sets below." if mean else ""
    )
    return (
        "A static sentence embedding model for Japanese search on ordinary CPUs: one row of "
        f"{facts.dim} numbers a token, {_after_rows(facts.straight)}. {facts.bits}-bit weights, "
        f"{megabytes(facts.n_bytes)} in memory.{scores}"
    )


def _after_rows(straight: bool) -> str:
    return "their mean" if straight else "their mean, a tanh per dimension"


def megabytes(n_bytes: int) -> str:
    """Return a size in MB (1,000,000 bytes)."""
    return f"{n_bytes / 1e6:.1f} MB"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def evaluation(facts: CardFacts, pictures: Mapping[str, str]) -> str:
    """Return the tables of scores."""
    parts = [_main_table(facts), _similarity_table(facts), _settings_table(facts)]
    if "curves" in pictures:
        parts.append(f"![Quality by dimension and bit width]({pictures['curves']})")
    titles = "表題と本文" if facts.report.titles else "本文"
    parts.append(
        f"文書は{titles}、検索は全文書に対するコサイン類似度の総当たりです。"
        "すべての指標は冒頭の `model-index` にあります。"
    )
    return "\n\n".join(part for part in parts if part)


def _main_table(facts: CardFacts) -> str:
    found = facts.of_main(retrieval=True)
    rows = [
        [one.set_name, *(f"{one.metrics[key]:.4f}" for _, key in MAIN_COLUMNS)] for one in found
    ]
    if len(found) > 1:
        mean = facts.report.mean(facts.main_setting)
        rows.insert(0, ["**平均**", *(f"**{mean[key]:.4f}**" for _, key in MAIN_COLUMNS)])
    header = ["データセット", *(name for name, _ in MAIN_COLUMNS)]
    return markdown_table(header, rows) if rows else ""


def _similarity_table(facts: CardFacts) -> str:
    rows = [
        [
            one.set_name,
            *(f"{one.metrics[f'{kind}_cosine']:.4f}" for kind in ("spearman", "pearson")),
        ]
        for one in facts.of_main(retrieval=False)
    ]
    return markdown_table(["文の類似度", "Spearman", "Pearson"], rows) if rows else ""


def _settings_table(facts: CardFacts) -> str:
    """Return nDCG@10 under every setting measured, where there is more than one."""
    report = facts.report
    settings = [setting for setting in report.settings if report.mean(setting)]
    if len(settings) < 2:
        return ""
    names = [one.set_name for one in facts.of_main(retrieval=True)]
    rows = []
    for setting in settings:
        found = [report.find(name, setting) for name in names]
        values = [f"{one.metrics[MAIN_METRIC]:.4f}" if one else "" for one in found]
        rows.append([_describe(setting), f"{report.mean(setting)[MAIN_METRIC]:.4f}", *values])
    return markdown_table(["nDCG@10", "平均", *names], rows)


def _describe(setting: Setting) -> str:
    words = {"dense": "", "lexical": "BM25(文字2-gram)", "hybrid": "ハイブリッド"}
    parts = [words[setting.mode]] if words[setting.mode] else []
    if setting.dim is not None:
        parts.append(f"{setting.dim}次元")
    if setting.bits is not None:
        parts.append(f"{setting.bits}ビット")
    return " ".join(parts)


def details(facts: CardFacts, pictures: Mapping[str, str]) -> str:
    """Return the table of properties, the picture and the mathematics."""
    n_parameters = facts.vocab_size * facts.dim + (0 if facts.straight else 3 * facts.dim)
    shorter = f"(Matryoshka により {_sizes(facts)} に短縮可能)" if facts.shorter else ""
    after = "" if facts.straight else " + Separable Dynamic Tanh"
    rows = [
        ["モデルの種類", f"SSE(Stable Static Embedding): EmbeddingBag{after}"],
        ["最大シーケンス長", "無制限"],
        ["出力次元", f"{facts.dim}{shorter}"],
        ["語彙", f"Unigram {facts.vocab_size:,}"],
        ["パラメータ数", f"{n_parameters:,}"],
        ["重み", f"{facts.bits} ビット、メモリ上 {megabytes(facts.n_bytes)}"],
        ["類似度関数", "コサイン類似度"],
        ["言語", "日本語"],
        *([["ライセンス", facts.licence]] if facts.licence else []),
    ]
    table = markdown_table(["プロパティ", "値"], rows)
    maths = STRAIGHT_MATHS if facts.straight else MATHS
    return f"{table}\n\n![Architecture]({pictures['architecture']})\n\n{maths}"


def _sizes(facts: CardFacts) -> str:
    return ", ".join(map(str, facts.shorter))


def usage(facts: CardFacts) -> str:
    """Return the two ways to load the model."""
    text = USAGE.format(name=facts.name)
    return f"{text}\n\n{SHORTER.format(sizes=_sizes(facts))}" if facts.shorter else text


def training(facts: CardFacts, pictures: Mapping[str, str]) -> str:
    """Return the settings of the run and its pictures."""
    if facts.training is None:
        return "学習の記録は同梱されていません。"
    parts = [markdown_table(["設定", "値"], _flat(facts.training.settings))]
    parts += [
        f"![{title}]({pictures[key]})"
        for key, title in (("loss", "Training loss"), ("ndcg", "nDCG@10 during training"))
        if key in pictures
    ]
    return "\n\n".join(parts)


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[list[str]]:
    """Yield name and value of every setting, tables within tables with dots in their names."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield [f"`{prefix}{key}`", f"{value}"]


def sources(facts: CardFacts) -> str:
    """Return the table of training data with licences."""
    if not facts.sources:
        return "学習データの一覧は同梱されていません。"
    rows = [[f"`{one.file}`", one.rows, one.source, one.licence] for one in facts.sources]
    return markdown_table(["ファイル", "件数", "出典", "ライセンス"], rows)
