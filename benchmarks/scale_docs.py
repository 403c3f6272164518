"""Write the figures of docs/howto/scale.md from the result files.

Run `python benchmarks/scale_docs.py`.

`--check` only reports whether the page agrees with the files.
"""

import sys
from collections.abc import Callable
from typing import Any

from readme import ROOT, read

PAGE = ROOT / "docs/howto/scale.md"
COUNTS = (10**6, 10**8, 10**10)
CORES = (1, 16, 256)
ENGINE_NAMES = {
    "one core": "`--engine local --workers 1`, one core",
    "threads": "two threads of one process (not offered)",
    "local": "`--engine local`, two processes",
    "ray": "`--engine ray`, two actors",
    "ray, one worker killed": "the same, one of them killed half way",
}
STEPS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def size(n_bytes: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for step, unit in STEPS:
        if n_bytes >= step:
            return f"{n_bytes / step:,.{0 if n_bytes >= 10 * step else 1}f} {unit}"
    return f"{n_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for step, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * step:
            return f"{seconds / step:.{0 if seconds >= 10 * step else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s"


def power(count: int) -> str:
    """Return a power of ten."""
    return f"10^{len(str(count)) - 1}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def where(record: dict[str, Any]) -> str:
    """Return what the figures were measured on."""
    return f"{record['machine']}, {record['cores']} cores, {record['date']}"


def engines() -> str:
    """Return what each engine took for the same texts."""
    record = read("scale")
    runs = [("Parquet", name, result) for name, result in record["engines"].items()]
    runs += [("JSON Lines", name, result) for name, result in record["lines"].items()]
    rows = [
        [
            kind,
            ENGINE_NAMES[name],
            f"{result['rows_per_s']:,}",
            "-" if result["cpu_seconds"] is None else f"{result['cpu_seconds']:.1f}",
            f"{result['load_before']:.0f}",
            f"{result['rows']:,} / {result['ids']:,}",
            "yes" if result["in_order"] else "NO",
        ]
        for kind, name, result in runs
    ]
    digests = {(kind, result["digest"]) for kind, _, result in runs}
    equal = len(digests) == len({kind for kind, _ in digests})
    head = ["input", "engine", "texts/s", "processor s", "load", "rows / different ids", "in order"]
    corpus = record["corpus"]
    return table(head, rows) + (
        f"\n{corpus['rows']:,} texts of at most 100 characters, {corpus['dim']} x "
        f"{corpus['dtype']}; {where(record)}. Every run of the same input wrote "
        f"{'the same' if equal else 'DIFFERENT'} vectors. Texts/s is wall time on a machine that "
        "others kept busy (load: what waited for its cores before the run), so it compares nothing "
        "but the order of size, and it counts the start of the engine; processor seconds are those "
        "of the workers alone.\n"
    )


def costs() -> str:
    """Return processor time and bytes of a passage in each form."""
    record = read("scale")
    rows = [
        [
            f"{form['dim']} x {form['dtype']}",
            f"{form['cpu_us']:.0f}",
            f"{form['vector_bytes']:,.0f}",
            f"{3600e6 / form['cpu_us'] / 1e6:.0f} million",
        ]
        for form in record["passages"]
    ]
    characters = record["passages"][0]["characters"]
    return table(["vector", "processor us", "bytes in Parquet", "a core and hour"], rows) + (
        f"\nPassages of {characters:.0f} characters on average, whose text takes "
        f"{record['passages'][0]['text_bytes']:.0f} bytes; reading, encoding and writing; "
        f"{where(record)}.\n"
    )


def sizes() -> str:
    """Return times and bytes for a million, a hundred million and ten thousand million."""
    forms = read("scale")["passages"]
    one = next(form for form in forms if (form["dim"], form["dtype"]) == (512, "int8"))
    rows = [
        [f"embed, {cores} core{'s' * (cores > 1)}"]
        + [duration(count * one["cpu_us"] / 1e6 / cores) for count in COUNTS]
        for cores in CORES
    ]
    rows += [["texts"] + [size(count * one["text_bytes"]) for count in COUNTS]]
    rows += [
        [f"{form['dim']} x {form['dtype']}"]
        + [size(count * form["vector_bytes"]) for count in COUNTS]
        for form in forms
    ]
    return table(["", *(f"{power(count)} passages" for count in COUNTS)], rows) + (
        "\nTimes are for 512 x int8 and divide evenly: parts do not wait for one another. What a "
        "network store takes to deliver the texts comes on top.\n"
    )


def serving() -> str:
    """Return what serves how much."""
    search, scan = read("search_100k"), read("scan")["rows"]
    most = max(row["n_vectors"] for row in scan)
    exact = next(
        row for row in scan if row["n_vectors"] == most and row["method"] == "exact, threads 2"
    )
    per_passage = search["bytes"] / search["passages"]
    return table(
        ["passages", "engine", "why"],
        [
            [
                power(10**6),
                "`konayuki.Index` on one machine",
                f"{search['passages']:,} passages: {search['hybrid']['p50_ms']:.1f} ms a hybrid "
                f"question, {size(per_passage * 10**6)} on disk for a million; the exact scan of "
                f"{most:,} vectors takes {exact['best_ms']:.0f} ms on two cores, and grows with "
                "their number",
            ],
            [
                power(10**8),
                "Qdrant, `--quantization int8` or `binary`",
                f"{size(512 * 10**8)} of int8 or {size(64 * 10**8)} of bits in memory, the vectors "
                "themselves on disk to score the best again; its graph and postings come on top",
            ],
            [
                power(10**10),
                "Qdrant, sharded, `--dim 256`, `--quantization binary`",
                f"{size(32 * 10**10)} of bits in the memory of all machines, "
                f"{size(64 * 10**10)} at 512 dimensions",
            ],
        ],
    )


def qdrant() -> str:
    """Return the quality of Qdrant compared with the index."""
    record = read("qdrant")
    rows = [
        [
            name,
            f"{result['passages']:,}",
            f"{result['questions']:,}",
            *(f"{result['ndcg@10'][who]:.4f}" for who in ("index", "qdrant sum", "qdrant rrf")),
        ]
        for name, result in record["sets"].items()
    ]
    gaps = [
        max(abs(r["ndcg@10"]["index"] - r["ndcg@10"][who]) for r in record["sets"].values())
        for who in ("qdrant sum", "qdrant rrf")
    ]
    head = ["set", "passages", "questions", "`Index.search`", '`fusion="sum"`', '`fusion="rrf"`']
    return table(head, rows) + (
        f"\nnDCG@10; the sum is up to {gaps[0]:.4f} from the index, reciprocal ranks are up to "
        f"{gaps[1]:.4f} from it. Measured with the model {record['model'][:12]}, {where(record)}; "
        f"qdrant-client {record['versions']['qdrant-client']} in local mode.\n"
    )


def duplicates() -> str:
    """Return what duplicates and clusters cost."""
    record = read("duplicates")
    rows = [
        [
            f"{run['texts']:,}",
            f"{run['kept']:,}",
            f"{run['dedup']['cpu_seconds']:.1f}",
            f"{run['plain']['cpu_seconds']:.1f}" if "plain" in run else "-",
            f"{run['cluster']['cpu_seconds']:.1f}",
        ]
        for run in record["runs"]
    ]
    k = record["runs"][0]["cluster"]["k"]
    head = ["texts", "kept", "dedup, processor s", "all products in full", f"cluster, k = {k}"]
    return table(head, rows) + f"\nThreshold {record['threshold']}; {where(record)}.\n"


BLOCKS: dict[str, Callable[[], str]] = {
    "engines": engines,
    "costs": costs,
    "sizes": sizes,
    "serving": serving,
    "qdrant": qdrant,
    "duplicates": duplicates,
}


def renewed(page: str) -> str:
    """Return the page with every block between its marks."""
    for name, block in BLOCKS.items():
        start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        before, rest = page.split(start)
        page = before + start + block() + end + rest.split(end)[1]
    return page


def main() -> int:
    """Renew or check the page; return 1 if a check fails."""
    page = PAGE.read_text("utf-8")
    new = renewed(page)
    if "--check" not in sys.argv:
        PAGE.write_text(new, "utf-8")
    elif new != page:
        print("renew with python benchmarks/scale_docs.py: docs/howto/scale.md")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
