"""`konayuki dedup`: groups of texts that say the same."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from konayuki.cli.options import add_table_files

if TYPE_CHECKING:
    from konayuki.scale.duplicates import Duplicates
    from konayuki.scale.text_table import TextTable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    add_table_files(parser, "the rows to keep, one of each group,")
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.9,
        metavar="COSINE",
        help="lowest cosine with the representative of a group",
    )


def run(args: argparse.Namespace) -> int:
    """Print the groups of two or more, representative first; write the rows to keep."""
    from konayuki.model import StaticModel
    from konayuki.progress import track
    from konayuki.scale.duplicates import find_duplicates
    from konayuki.scale.text_table import open_table

    with open_table(args.file, args.column) as table:
        texts = track(table.texts(), "dedup", unit="text")
        model = StaticModel.load(args.model)
        duplicates = find_duplicates(texts, args.threshold, model=model, dim=args.dim)
        _print_groups(table, duplicates, as_json=args.json)
        is_kept = duplicates.kept
        if args.out:
            table.write(args.out, lambda row, values: values if is_kept[row] else None)
        print(f"{len(is_kept)} texts, {int(is_kept.sum())} of them different", file=sys.stderr)
    return 0


def _print_groups(table: "TextTable", duplicates: "Duplicates", *, as_json: bool) -> None:
    members = {member.row for group in duplicates.groups() for member in group}
    texts = table.texts_at(members) if members else {}
    for number, group in enumerate(duplicates.groups()):
        lines: list[dict[str, Any]] = [
            {"row": row, "cosine": round(cosine, 4), "text": texts[row]} for row, cosine in group
        ]
        if as_json:
            print(json.dumps({"group": number, "members": lines}, ensure_ascii=False))
            continue
        print(f"{texts[group[0].row]}")
        for line in lines[1:]:
            print(f"  {line['cosine']:.3f} row {line['row']}: {line['text']}")
