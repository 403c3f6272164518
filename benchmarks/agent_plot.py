"""The picture of results/agent.json: how many questions are answered within a budget of tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.evaluation.plots import COLORS, INK, picture, style

NAMES = {
    "konayuki": "konayuki (MCP)",
    "bm25": "BM25, pages of five passages",
    "lancedb": "LanceDB, hybrid with our vectors",
    "fts5-trigram": "SQLite FTS5, trigrams",
    "grep-lines": "grep, matching lines",
    "grep-files": "grep, whole files",
}


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Draw the curves and write the PNG."""
    budgets = np.geomspace(100, 50_000, 60)
    n_questions = sum(record["questions"].values())
    with picture(path, 8, 4.6) as figure:
        axes = figure.subplots()
        n_corpora = len(record["questions"])
        title = f"Answering passage seen, {n_questions} questions on {n_corpora} corpora"
        style(axes, title, "tokens read (estimated), log scale", "share of the questions")
        for number, line in enumerate(record["systems"]):
            ours = line["name"] == "konayuki"
            axes.plot(
                budgets, line["curve"], label=NAMES[line["name"]], color=COLORS[number],
                linewidth=2.6 if ours else 1.5, zorder=3 if ours else 2,
            )  # fmt: skip
        axes.axhline(0.8, color=INK, linewidth=0.7, linestyle=":")
        axes.set_xscale("log")
        axes.set_ylim(0, 1)
        axes.set_xticks([100, 500, 1000, 2000, 4000, 8000, 16000, 32000])
        axes.set_xticklabels(["100", "500", "1k", "2k", "4k", "8k", "16k", "32k"])
        axes.minorticks_off()
        axes.legend(fontsize=8, frameon=False, loc="upper left")
