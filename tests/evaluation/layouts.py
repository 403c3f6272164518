"""A small evaluation set, and the layouts that it can be written in."""

import csv
import gzip
import json
from pathlib import Path

CORPUS = [
    {"_id": "d1", "text": "富士山は日本で一番高い山である。", "title": "富士山"},
    {"_id": "d2", "text": "琵琶湖は日本で一番大きい湖である。", "title": "琵琶湖"},
    {"_id": "d3", "text": '"引用"で始まる文。', "title": ""},
]
QUERIES = [
    {"_id": "q1", "text": "一番高い山は？"},
    {"_id": "q2", "text": "大きい湖は？"},
    {"_id": "q3", "text": "答えのない問い"},
]
QRELS = [
    {"query-id": "q1", "corpus-id": "d1", "score": 1},
    {"query-id": "q2", "corpus-id": "d2", "score": 2},
    {"query-id": "q2", "corpus-id": "d1", "score": 1},
    {"query-id": "q3", "corpus-id": "d1", "score": 0},
]
PAIRS = [
    {"sentence1": "犬が走る。", "sentence2": "犬が駆ける。", "score": 4.5},
    {"sentence1": "犬が走る。", "sentence2": "雨が降る。", "score": 0.0},
    {"sentence1": "空が青い。", "sentence2": "青い空だ。", "score": 4.0},
]


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows in the format that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.name.endswith(".jsonl"):
        path.write_text(lines, encoding="utf-8")
    elif path.name.endswith(".jsonl.gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".tsv":
        table = [list(rows[0]), *(map(str, row.values()) for row in rows)]
        path.write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def write_beir(folder: Path, *, suffix: str = ".jsonl", **tables: list[dict]) -> Path:
    """Write a set in BEIR layout; a table given by name replaces the usual one."""
    for part, rows in {"corpus": CORPUS, "queries": QUERIES, "qrels": QRELS, **tables}.items():
        write_table(folder / f"{part}{suffix}", rows)
    return folder


def write_nano(folder: Path, names: tuple[str, ...]) -> Path:
    """Write a collection in the layout of NanoBEIR on the hub, its README included."""
    for part, rows in (("corpus", CORPUS), ("queries", QUERIES), ("qrels", QRELS)):
        kept = [{key: row[key] for key in row if key not in {"title", "score"}} for row in rows]
        if part == "qrels":
            kept = [row for row in kept if row["query-id"] != "q3"]
        for name in names:
            write_table(folder / part / f"{name}-00000-of-00001.parquet", kept)
    (folder / "README.md").write_text(nano_readme(names), encoding="utf-8")
    return folder


def nano_readme(names: tuple[str, ...]) -> str:
    """Return the head of the README by which `datasets` finds configurations and splits."""
    lines = ["---", "configs:"]
    for part in ("corpus", "queries", "qrels"):
        lines += [f"- config_name: {part}", "  data_files:"]
        for name in names:
            lines += [f"  - split: {name}", f"    path: {part}/{name}-*"]
    return "\n".join([*lines, "---", ""])
