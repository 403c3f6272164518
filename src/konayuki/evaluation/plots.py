"""The pictures of a model card: curves, training, architecture; drawn by matplotlib, no display.

Labels are English; the name of a set may be Japanese and is drawn with an installed Japanese font,
or as "set 3" without one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

JAPANESE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
)
Line = tuple[Sequence[float], Sequence[float]]  # horizontal, vertical
COLORS = ("#1b6ca8", "#d1495b", "#3b8f5a", "#e08e2b", "#7a5195", "#6b7280", "#0f9aa8", "#a05a2c")
FEW_POINTS = 30  # up to which points are marked: a line through a single one shows nothing
MARKERS = "osD^vPX*"
INK, FAINT = "#1f2933", "#d5dbe1"


@lru_cache(maxsize=1)
def japanese_font() -> str | None:
    """Return an installed font that has Japanese characters, or None."""
    manager = require("matplotlib.font_manager", "eval")
    installed = {font.name for font in manager.fontManager.ttflist}
    return next((name for name in JAPANESE_FONTS if name in installed), None)


def label_for(name: str, number: int) -> str:
    """Return the name if it can be drawn, else `set NUMBER`."""
    drawable = japanese_font() is not None or all(ord(character) < 0x250 for character in name)
    return name if drawable else f"set {number}"


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """Give a figure of this size in inches, and write it as PNG when the block ends.

    Neither date nor version goes into the file: equal pictures are equal files.
    """
    families = ["DejaVu Sans", *filter(None, [japanese_font()])]
    # A text takes the families that hold when it is created, so all drawing happens inside.
    with require("matplotlib", "eval").rc_context({"font.family": families}):
        figure: Figure = require("matplotlib.figure", "eval").Figure((width, height), dpi=144)
        figure.set_layout_engine("constrained")
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})


def style(axes: "Axes", title: str, x_label: str, y_label: str) -> None:
    """Give axes the look that all pictures share."""
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_xlabel(x_label, fontsize=9, color=INK)
    axes.set_ylabel(y_label, fontsize=9, color=INK)
    axes.grid(visible=True, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def plot_lines(
    axes: "Axes",
    lines: dict[str, Line],
    *,
    emphasis: str | None = None,
    legend: bool = True,
) -> None:
    """Draw named lines; the line named `emphasis` stands out."""
    for number, (name, (xs, ys)) in enumerate(lines.items(), start=1):
        strong = emphasis is None or name == emphasis
        axes.plot(
            xs,
            ys,
            label=label_for(name, number),
            color=COLORS[(number - 1) % len(COLORS)],
            marker=MARKERS[(number - 1) % len(MARKERS)] if len(xs) <= FEW_POINTS else None,
            markersize=6 if strong else 4,
            linewidth=2.2 if strong else 1.1,
            alpha=1.0 if strong else 0.8,
        )
    if legend:
        axes.legend(fontsize=8, frameon=False)


def draw_curves(
    by_dim: dict[str, Line],
    by_bits: dict[str, Line],
    path: Path,
) -> None:
    """Draw nDCG@10 by dimension (one line per set) and by bit width (one line per dimension).

    Args:
        by_dim: Name of a set, or "mean", to dimensions and values.
        by_bits: Name of a line to bit widths and values; empty if only one width was measured.
        path: The PNG file to write.
    """
    with picture(path, 10 if by_bits else 6, 4) as figure:
        panels = figure.subplots(1, 2 if by_bits else 1, squeeze=False)[0]
        style(panels[0], "Quality by dimension", "dimensions", "nDCG@10")
        plot_lines(panels[0], by_dim, emphasis="mean" if "mean" in by_dim else None)
        log_axis(panels[0], {x for xs, _ in by_dim.values() for x in xs})
        if by_bits:
            style(panels[1], "Quality by bits of a weight", "bits", "nDCG@10, mean")
            plot_lines(panels[1], by_bits)
            log_axis(panels[1], {x for xs, _ in by_bits.values() for x in xs})


def log_axis(axes: "Axes", ticks: set[float]) -> None:
    """Make the horizontal axis logarithmic, with a tick at each measured value and no other."""
    axes.set_xscale("log", base=2)
    ordered = sorted(ticks)
    axes.set_xticks(ordered, [f"{tick:g}" for tick in ordered])
    axes.set_xticks([], minor=True)


def draw_history(title: str, y_label: str, lines: dict[str, Line], path: Path) -> None:
    """Draw values by training step."""
    with picture(path, 6, 4) as figure:
        axes = figure.subplots()
        style(axes, title, "step", y_label)
        plot_lines(axes, lines, legend=len(lines) > 1)  # the title names a single line


def draw_architecture(
    vocab_size: int,
    dim: int,
    bits: int,
    path: Path,
    *,
    shorter: Sequence[int] = (),
    straight: bool = False,
) -> None:
    """Draw how a text becomes a vector, with the sizes of this model.

    Args:
        vocab_size: Number of pieces, which is rows.
        dim: Dimensions of a vector.
        bits: Bits per weight.
        path: The PNG file to write.
        shorter: The smaller dimensions that vectors may be cut to.
        straight: Whether no tanh follows the mean.
    """
    patches = require("matplotlib.patches", "eval")
    first = f", or the first\n{', '.join(map(str, shorter))}" if shorter else ""
    stages = [
        ("text", "any length"),
        ("Unigram tokenizer", f"{vocab_size:,} pieces"),
        ("table rows", f"{vocab_size:,} x {dim}\n{bits} bits, one scale per row"),
        ("mean", f"x: {dim} numbers"),
        ("separable tanh", r"$y_k = c_k \tanh(a_k x_k + b_k)$"),
        ("vector", f"{dim} numbers{first}; length 1"),
    ]
    if straight:
        del stages[4]
    with picture(path, 11, 2.3) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(0, len(stages) * 2)
        axes.set_ylim(0, 2)
        for number, (name, detail) in enumerate(stages):
            left, color = number * 2 + 0.1, COLORS[number % len(COLORS)]
            box = patches.FancyBboxPatch(
                (left, 0.35), 1.55, 1.3, boxstyle="round,pad=0.05", facecolor=color, alpha=0.12
            )
            axes.add_patch(box)
            axes.text(left + 0.78, 1.3, name, ha="center", va="center", fontsize=9.5, weight="bold")
            axes.text(left + 0.78, 0.78, detail, ha="center", va="center", fontsize=7.5, color=INK)
            if number:
                axes.annotate(
                    "", (left - 0.05, 1.0), (left - 0.37, 1.0), arrowprops={"arrowstyle": "->"}
                )
