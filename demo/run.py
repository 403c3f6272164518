"""Index the demo corpus, answer some questions, and compare the three ways to search.

`make demo` runs this; it needs the base install and no network.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from konayuki import Hit, Index, StaticModel
from konayuki.ingest import update
from konayuki.search import snippet

HERE = Path(__file__).parent
N_SHOWN = 5
TOP = 3
MODES = ("lexical", "dense", "hybrid")


def main() -> int:
    """Run the demo; return 0."""
    start = time.perf_counter()
    model = StaticModel.load()
    megabytes = model.nbytes / 1e6
    print(f"model: {model.vocab_size:,} x {model.dim}, {megabytes:.1f} MB of weights in memory")
    with tempfile.TemporaryDirectory() as folder, Index.create(f"{folder}/demo.konayuki") as index:
        summary = update(index, [HERE / "corpus"])
        seconds = time.perf_counter() - start
        print(f"indexed {summary.passages} passages of {summary.files} files ({seconds:.1f} s)\n")
        questions = read_questions()
        for question in questions[:: len(questions) // N_SHOWN][:N_SHOWN]:
            show(index, question)
        compare(index, questions)
    return 0


def read_questions() -> list[dict[str, str]]:
    """Return the questions with the file and the heading that answer them."""
    lines = (HERE / "questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def show(index: Index, question: dict[str, str]) -> None:
    """Print a question and its best hits."""
    print(f"問 {question['question']}")
    for rank, hit in enumerate(index.search(question["question"], k=TOP), start=1):
        mark = "◎" if answers(hit, question) else "　"
        text = snippet(hit.text, question["question"]).text
        print(f" {mark}{rank}. {hit.title} > {hit.heading}  ({hit.score:.2f})\n      {text}")
    print()


def answers(hit: Hit, question: dict[str, str]) -> bool:
    """Whether a hit is the passage that answers the question."""
    name = Path(str(hit.metadata["path"])).name
    return (name, hit.heading) == (question["file"], question["heading"])


def compare(index: Index, questions: list[dict[str, str]]) -> None:
    """Print recall@3 of the three modes."""
    print(f"recall@{TOP} over {len(questions)} questions that avoid the words of their answers:")
    for mode in MODES:
        found = sum(
            any(answers(hit, question) for hit in index.search(question["question"], TOP, mode))
            for question in questions
        )
        print(f"  {mode:8}{found / len(questions):6.1%}")


if __name__ == "__main__":
    sys.exit(main())
