"""Write the generated parts of docs/explanation/quality.md.

    python benchmarks/quality_docs.py --data FOLDER [--model FOLDER]

The tables of peers and sets come from benchmarks/results/quality.json. The parts on what the model
is good and bad at are measured here: quality by how many characters of the question occur in the
passage that answers it, and the questions of the demo corpus with the ranks of their answers.
"""

import argparse
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from konayuki.evaluation import Passage, RetrievalSet, read_sets
from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.model import StaticModel
from konayuki.search import Index
from quality import RESULTS, as_table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/explanation/quality.md"
MODES = ("dense", "lexical", "hybrid")
N_QUESTIONS = 300


class Part(NamedTuple):
    """A range of values: those below a bound, and not in the part before it."""

    name: str
    below: float


OVERLAP = (
    "shared character pairs",
    (
        Part("under a third", 1 / 3),
        Part("a third to a half", 1 / 2),
        Part("half to two thirds", 2 / 3),
        Part("more", math.inf),
    ),
)
LENGTH = (
    "characters of the answering passage",
    (
        Part("under 100", 100),
        Part("100 to 300", 300),
        Part("300 to 600", 600),
        Part("more", math.inf),
    ),
)
PAIRS = (
    ("予約を取り消したい", "キャンセルの方法"),
    ("風邪を引いた", "感冒の症状"),
    ("車の運転", "自動車を走らせる"),
    ("この薬は食前に飲む", "この薬は食前に飲まない"),
    ("犬が人を噛む", "人が犬を噛む"),
    ("1964年の東京オリンピック", "2021年の東京オリンピック"),
    ("1964年の東京オリンピック", "1964年の大阪の天気"),
)
# Two spellings of a word, with the cosine in the model of 2026-11-27, which knew no spellings.
SPELLINGS = (
    ("東京", "とうきょう", 0.09),
    ("ディジタル", "デジタル", 0.11),
    ("国際", "國際", 0.12),
    ("わがはい", "ワガハイ", 0.13),
    ("引越し", "引っ越し", 0.26),
    ("渡辺", "渡邊", 0.30),
    ("申込", "申し込み", 0.35),
    ("サーバ", "サーバー", 0.47),
)
KINDS = {
    "kana": "other kana (ダイヤモンド, ダイアモンド)",
    "kanji-choice": "choice of kanji (会う, 逢う)",
    "kanji-form": "form of kanji (国, 國)",
    "long-vowel": "long vowel (サーバー, サーバ)",
    "okurigana": "okurigana (申込, 申し込み)",
    "reading": "reading (東京, とうきょう)",
    "script": "hiragana, katakana (とまと, トマト)",
    "random": "two words at random (mean)",
}
DEVELOPMENT = ROOT / "recipes/results/konayuki-ja/development.json"
BEFORE = ROOT / "recipes/results/unseen/scores.json"


class Answered(NamedTuple):
    """One question with its rankings by mode."""

    text: str
    overlap: float  # share of its character 2-grams that a relevant passage holds
    length: int  # characters of its shortest relevant passage
    gains: Mapping[str, int]
    rankings: Mapping[str, Sequence[str]]


def main() -> int:
    """Measure, and replace the generated parts of the page."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the quality page.")
    parser.add_argument("--data", required=True, help="folder of evaluation sets")
    parser.add_argument("--model", help="our model (default: the bundled one)")
    args = parser.parse_args()
    model = StaticModel.load(args.model)
    results = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))
    sets = [each for each in read_sets(args.data) if isinstance(each, RetrievalSet)]
    answered = [q for each in sets for q in answer_all(each.sample(N_QUESTIONS), model)]
    demo = list(answer_all(demo_set(), model))
    parts = {
        "peers": peers_table(results),
        "metrics": metrics_table(results),
        "overlap": split_table(answered, [question.overlap for question in answered], OVERLAP),
        "length": split_table(answered, [question.length for question in answered], LENGTH),
        "demo": demo_table(demo),
        "pairs": pairs_table(model),
        "spellings": spellings_table(model),
        "held-out spellings": held_out_table(),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name, text in parts.items():
        page = replaced(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE}", file=sys.stderr)
    return 0


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with the part between its two marks replaced."""
    pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{PAGE} has no part {name!r}")
    return pattern.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)


def peers_table(results: dict) -> str:
    """Return all rows of the results, with where they were measured."""
    where = results["environment"]
    note = (
        f"{where['date']}, {where['machine']}, one core of {where['cores']}, load "
        f"{where['load']}, Python {where['python']}, commit {where['commit']}."
    )
    if again := results.get("scores_environment"):
        note += f" Our rows' nDCG: {again['date']}, commit {again['commit']}."
    return f"{as_table(results['rows'])}\n\n{note}"


def metrics_table(results: dict) -> str:
    """Return every metric of every set for the model as it is shipped."""
    row = next(row for row in results["rows"] if row["peer"] == "konayuki")
    columns = {**row["scores"], "mean": row["mean"]}
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name in row["mean"]:
        values = (f"{column[name]:.4f}" for column in columns.values())
        lines.append(f"| cosine_{name} | {' | '.join(values)} |")
    return f"{row['name']}:\n\n" + "\n".join(lines)


def answer_all(one: RetrievalSet, model: StaticModel) -> Iterator[Answered]:
    """Yield the questions of a set with the best ten passages in each mode."""
    grams = {key: bigrams(passage.full_text(titles=True)) for key, passage in one.corpus.items()}
    depth = 10 if len(one.corpus) > 1000 else len(one.corpus)
    with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i", model) as index:
        index.add(records_of(one, titles=True))
        for query_id, text in one.queries.items():
            asked, gains = bigrams(text), one.qrels[query_id]
            shared = max(len(asked & grams[key]) for key in gains if key in grams)
            rankings = {
                mode: [hit.id for hit in index.search(text, k=depth, mode=mode)] for mode in MODES
            }
            length = min(len(one.corpus[key].text) for key in gains if key in one.corpus)
            yield Answered(text, shared / max(1, len(asked)), length, gains, rankings)


def bigrams(text: str) -> set[str]:
    """Return the pairs of neighbouring characters that are not white space."""
    joined = "".join(text.split()).lower()
    return {joined[start : start + 2] for start in range(len(joined) - 1)}


def split_table(
    answered: Sequence[Answered], values: Sequence[float], split: tuple[str, Sequence[Part]]
) -> str:
    """Return nDCG@10 of the questions, split by a value of each."""
    title, parts = split
    lines = [f"| {title} | questions | dense | lexical | hybrid |", "|---|---|---|---|---|"]
    groups = np.digitize(values, [part.below for part in parts[:-1]])
    for number, part in enumerate(parts):
        group = [one for one, which in zip(answered, groups, strict=True) if which == number]
        means = (
            np.mean([ndcg(question.rankings[mode], question.gains, at=10) for question in group])
            if group
            else 0
            for mode in MODES
        )
        lines.append(f"| {part.name} | {len(group)} | {' | '.join(f'{m:.3f}' for m in means)} |")
    return "\n".join(lines)


def pairs_table(model: StaticModel) -> str:
    """Return the cosines of pairs that show what the model sees and what it does not."""
    lines = ["| | | cosine |", "|---|---|---|"]
    for first, second in PAIRS:
        cosine = float(model.similarity(first, second)[0, 0])
        lines.append(f"| {first} | {second} | {cosine:.2f} |")
    return "\n".join(lines)


def spellings_table(model: StaticModel) -> str:
    """Return the cosines of two spellings of some words, before and now."""
    lines = ["| | | before | now |", "|---|---|---|---|"]
    for first, second, before in SPELLINGS:
        cosine = float(model.similarity(first, second)[0, 0])
        lines.append(f"| {first} | {second} | {before:.2f} | {cosine:.2f} |")
    return "\n".join(lines)


def held_out_table() -> str:
    """Return the median cosines of spellings that were never trained on, by kind."""
    (now,) = json.loads(DEVELOPMENT.read_text(encoding="utf-8")).values()
    before = json.loads(BEFORE.read_text(encoding="utf-8"))["bundled"]
    lines = ["| | before | now |", "|---|---|---|"]
    lines += [
        f"| {words} | {before['spelling'][kind]:.2f} | {now['spelling'][kind]:.2f} |"
        for kind, words in KINDS.items()
    ]
    return "\n".join(lines)


def demo_set() -> RetrievalSet:
    """Return the demo corpus: a section a passage, its heading the title."""
    corpus = {}
    for path in sorted((ROOT / "demo" / "corpus").glob("*.md")):
        sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        for section in sections:
            heading, _, text = section.partition("\n")
            key = f"{path.name}#{heading.strip()}"
            corpus[key] = Passage(" ".join(text.split()), heading.strip())
    lines = (ROOT / "demo" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    return RetrievalSet(
        "demo",
        corpus,
        {question["id"]: question["question"] for question in questions},
        {
            question["id"]: {f"{question['file']}#{question['heading']}": 1}
            for question in questions
        },
    )


def demo_table(answered: Sequence[Answered]) -> str:
    """Return the ranks of the answers, the dense half's best first."""
    lines = ["| question | answer | dense | lexical | hybrid |", "|---|---|---|---|---|"]
    for one in sorted(answered, key=lambda one: rank_of_answer(one, "dense")):
        (key,) = one.gains
        ranks = [rank_of_answer(one, mode) for mode in MODES]
        shown = " | ".join(str(rank) if rank < 1000 else "-" for rank in ranks)
        lines.append(f"| {one.text} | {key.partition('#')[2]} | {shown} |")
    first_three = ", ".join(
        f"{mode} {sum(rank_of_answer(one, mode) <= 3 for one in answered)}" for mode in MODES
    )
    lines += ["", f"Among the first three, of {len(answered)}: {first_three}."]
    return "\n".join(lines)


def rank_of_answer(one: Answered, mode: str) -> int:
    """Return the rank of the first relevant passage, 1000 if it was not found."""
    ranks = (rank for rank, key in enumerate(one.rankings[mode], start=1) if key in one.gains)
    return next(ranks, 1000)


if __name__ == "__main__":
    sys.exit(main())
