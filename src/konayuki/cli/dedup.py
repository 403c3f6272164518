"""`konayuki dedup`: groups of texts that say the same."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from konayuki.scale.duplicates import Duplicates
    from konayuki.scale.tables import TextTable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", type=Path, help="JSON Lines, CSV, TSV or Parquet")
    parser.add_argument(
        "--out", type=Path, help="file for the rows that stay, one of each group: .jsonl or as FILE"
    )
    parser.add_argument("--column", default="text", help="column with the texts")
    parser.add_argument(
        "--threshold", type=float, default=0.9, help="least cosine with the representative"
    )
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--dim", type=int, help="compare only the first DIM outputs")
    parser.add_argument("--json", action="store_true", help="write one JSON object a group")


def run(args: argparse.Namespace) -> int:
    """Print the groups of two and more, representative first; write the rows that stay."""
    from konayuki.model import StaticModel
    from konayuki.progress import track
    from konayuki.scale.duplicates import find_duplicates
    from konayuki.scale.tables import TextTable

    table = TextTable(args.file, args.column)
    texts = track(table.texts(), "dedup", unit="text")
    model = StaticModel.load(args.model)
    found = find_duplicates(texts, args.threshold, model=model, dim=args.dim)
    _show(table, found, as_json=args.json)
    kept = found.kept
    if args.out:
        table.write(args.out, lambda row, values: values if kept[row] else None)
    print(f"{len(kept)} texts, {int(kept.sum())} of them different", file=sys.stderr)
    return 0


def _show(table: "TextTable", found: "Duplicates", *, as_json: bool) -> None:
    members = {member.row for group in found.groups() for member in group}
    texts = table.texts_at(members) if members else {}
    for number, group in enumerate(found.groups()):
        lines: list[dict[str, Any]] = [
            {"row": row, "cosine": round(cosine, 4), "text": texts[row]} for row, cosine in group
        ]
        if as_json:
            print(json.dumps({"group": number, "members": lines}, ensure_ascii=False))
            continue
        print(f"{texts[group[0].row]}")
        for line in lines[1:]:
            print(f"  {line['cosine']:.3f} row {line['row']}: {line['text']}")
