"""Write the figures of docs/explanation/site.md from the result file.

Run `python benchmarks/site_docs.py`.

`--check` only says whether the page is true to the file.
"""

import sys
from statistics import mean
from typing import Any

from readme import ROOT, read, renewed
from scale_docs import table, where

PAGE = ROOT / "docs/explanation/site.md"
NAMES = {
    "python 512": "Python, 512 dimensions",
    "site 256": "site, 256 dimensions",
    "site 128": "**site, 128 dimensions**",
    "site 128, 4 bits": "site, 128 dimensions, vectors of 4 bits",
    "words": "site, words alone",
    "lunr": "lunr with lunr-languages (ja)",
    "minisearch": "MiniSearch with Intl.Segmenter",
    "flexsearch": "FlexSearch with Intl.Segmenter",
    "pagefind": "Pagefind",
}
BUILDS = ("build", "unchanged", "changed")
GOALS = (
    ("first words: loaded, at most 150 KB", "first_words_bytes", 1e3, "{:.0f} KB"),
    ("first words: 300 ms", "first_words_ms", 1, "{:.0f} ms"),
    ("model at 128 dimensions: 3 MB", "model_bytes", 1e6, "{:.2f} MB"),
    ("keystroke, nothing to load, at 1,000 pages: 30 ms", "keystroke_loaded_ms", 1, "{:.0f} ms"),
)


def quality(record: dict[str, Any]) -> str:
    """Return what everybody finds."""
    sets = record["quality"]
    rows = []
    for name, shown in NAMES.items():
        ndcgs = [scores[name]["ndcg@10"] for scores in sets.values()]
        recalls = [scores[name]["recall@3"] for scores in sets.values()]
        version = record["peers"].get(name, "")
        cells = [f"{value:.3f}" for value in [*ndcgs, mean(ndcgs), mean(recalls)]]
        rows.append([f"{shown} {version}".strip(), *cells])
    head = ["nDCG@10", *sets, "mean", "mean recall@3"]
    measured = record.get("quality_of")
    note = (
        f"Measured {measured['date']} at commit {measured['commit']}."
        if measured
        else "Measured before the dictionary of readings joined."
    )
    return f"{table(head, rows)}\n{note}\n"


def waiting(record: dict[str, Any]) -> str:
    """Return what a visitor loads and waits for."""
    columns = {
        "pages": lambda line: f"{line['pages']:,}",
        "passages": lambda line: f"{line['passages']:,}",
        "all files": lambda line: f"{line['site_bytes'] / 1e6:.1f} MB",
        "loaded at the first words": lambda line: f"{line['first_words_bytes'] / 1e3:.0f} KB",
        "first words": lambda line: f"{line['first_words_ms']:.0f} ms",
        "model + vectors": (
            lambda line: f"{(line['model_bytes'] + line['vector_bytes']) / 1e6:.1f} MB"
        ),
        "first meaning": lambda line: f"{line['first_meaning_ms'] / 1e3:.1f} s",
        "a keystroke": lambda line: f"{line['keystroke_ms']:.0f} ms",
        "nothing to load": lambda line: f"{line['keystroke_loaded_ms']:.0f} ms",
        "load": lambda line: f"{line['load']:.1f}",
    }
    rows = [[cell(line) for cell in columns.values()] for line in record["waiting"]]
    return table(list(columns), rows) + f"\n{where(record)}.\n"


def goals(record: dict[str, Any]) -> str:
    """Return what was aimed at and what was reached at each size."""
    lines = record["waiting"]
    rows = [
        [goal, *(shown.format(line[key] / divisor) for line in lines)]
        for goal, key, divisor, shown in GOALS
    ]
    return table(["goal", *(f"{line['pages']:,} pages" for line in lines)], rows)


def building(record: dict[str, Any]) -> str:
    """Return what building takes."""
    rows = []
    for line in record["waiting"]:
        if "build_s" not in line:  # of a record from before it was measured
            continue
        took = [f"{line[f'{name}_s']:.1f} s, {line[f'{name}_mb']:,} MB" for name in BUILDS]
        rows.append([f"{line['pages']:,}", f"{line['files']:,}", *took])
    if not rows:
        return "Not measured yet: `python benchmarks/site.py --only waiting`.\n"
    return table(["pages", "files", "anew", "nothing changed", "one page changed"], rows)


def main() -> int:
    """Renew or check the page; return 1 if a check fails."""
    record = read("site")
    page = PAGE.read_text("utf-8")
    blocks = {each.__name__: each(record) for each in (quality, waiting, goals, building)}
    new = renewed(page, blocks)
    if "--check" not in sys.argv:
        PAGE.write_text(new, "utf-8")
    elif new != page:
        print("renew with python benchmarks/site_docs.py: docs/explanation/site.md")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
