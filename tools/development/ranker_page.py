"""Write what `konayuki train-ranker --report` found into docs/explanation/quality.md.

    python tools/development/ranker_page.py REPORT.json

The tables between the marks of the page, and docs/images/reliability.png: how often hits of a
relevance are right. The report is copied to recipes/results/ranker/report.json.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explanation/quality.md"
PICTURE = ROOT / "docs/images/reliability.png"
RECORD = ROOT / "recipes/results/ranker/report.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="JSON of konayuki train-ranker --report")
    report = json.loads(parser.parse_args(arguments).report.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    for name, table in (("features", features(report)), ("relevance", relevance(report))):
        page, n_marks = re.subn(
            rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)",
            lambda marks, table=table: f"{marks[1]}\n{table}\n{marks[2]}",  # type: ignore[misc]
            page,
            flags=re.DOTALL,
        )
        if n_marks != 1:
            sys.exit(f"{PAGE}: {n_marks} marks of {name}: expected one")
    PAGE.write_text(page, encoding="utf-8")
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw(report["left_out"]["relevance"])
    return 0


def features(report: Mapping[str, Any]) -> str:
    """Return the table of what each feature is worth."""
    scores = report["left_out"]["ndcg@10"]
    tasks = list(scores["all"])
    means = {way: float(np.mean(list(values.values()))) for way, values in scores.items()}
    lines = ["| nDCG@10 | mean | worst task against all five |", "|---|---|---|"]
    for way, values in scores.items():
        losses = {task: values[task] - scores["all"][task] for task in tasks}
        worst = min(losses, key=lambda task: losses[task])
        told = "" if way == "all" else f"{worst} {losses[worst]:+.3f}"
        lines.append(f"| {'all five' if way == 'all' else way} | {means[way]:.4f} | {told} |")
    return "\n".join(lines) + "\n"


def relevance(report: Mapping[str, Any]) -> str:
    """Return the table of how well the relevance is calibrated."""
    parts = {"all pooled": report["left_out"]["relevance"]}
    parts |= report["left_out"]["relevance_by_task"]
    lines = [
        "| task left out | AUROC, other corpus | AUROC, answer taken out | calibration error |",
        "|---|---|---|---|",
    ]
    for name, part in parts.items():
        cells = [part["auroc_other_corpus"], part["auroc_answer_removed"]]
        cells.append(part["calibration_error"])
        lines.append(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def draw(part: Mapping[str, Any]) -> None:
    """Draw the reliability diagram."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    means = [point["mean"] for point in part["diagram"]]
    rights = [point["right"] for point in part["diagram"]]
    sizes = [20 + 600 * point["weight"] for point in part["diagram"]]
    axes.plot(means, rights, color="#356a9a", linewidth=1)
    axes.scatter(means, rights, s=sizes, color="#356a9a", alpha=0.8)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="relevance of the first hit",
        ylabel="share of them that are right",
        title=f"calibration error {part['calibration_error']:.3f}, on tasks left out",
    )
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
