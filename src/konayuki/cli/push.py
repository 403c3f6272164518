"""`konayuki push`: a model folder with its card to the Hugging Face hub."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from konayuki.integrations.hub import Pushed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "folder",
        type=Path,
        help="model folder; where it has no README.md, the card is made as by konayuki card, "
        "or a short one where there is no evaluation.json",
    )
    parser.add_argument("repo", help="owner/name; made where it is missing")
    parser.add_argument(
        "--private", action="store_true", help="make a private repository; never push to a public"
    )
    parser.add_argument("--revision", default="main", help="branch; made where it is missing")
    parser.add_argument(
        "--token", help="token with the right to write (default: HF_TOKEN or login)"
    )
    parser.add_argument("--message", help="first line of the commit")
    parser.add_argument("--license", help="licence of the weights on a card that has to be made")
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be sent; ask nobody, write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print what was sent as JSON")


def run(args: argparse.Namespace) -> int:
    """Push the folder; print the address of the commit."""
    from konayuki.integrations.hub import as_dict, push

    pushed = push(
        args.folder,
        args.repo,
        revision=args.revision,
        private=args.private or None,
        token=args.token,
        message=args.message,
        licence=args.license,
        dry_run=args.dry_run,
    )
    if args.json:
        print(json.dumps(as_dict(pushed)))
        return 0
    _list(pushed, dry_run=args.dry_run)
    if pushed.url:
        print(pushed.url)
    return 0


def _list(pushed: "Pushed", *, dry_run: bool) -> None:
    """Name every file on stderr, or on stdout where the list is all there is to a dry run."""
    out = sys.stdout if dry_run else sys.stderr
    for file in pushed.files:
        size = "to be made" if file.n_bytes is None else f"{file.n_bytes:,} bytes"
        print(f"{file.path}\t{size}", file=out)
    for path in pushed.removed:
        print(f"{path}\tremoved", file=out)
    total = sum(file.n_bytes or 0 for file in pushed.files)
    verb = "would be sent to" if dry_run else "sent to"
    print(
        f"{len(pushed.files)} files, {total:,} bytes {verb} {pushed.repo}, {pushed.revision}",
        file=sys.stderr,
    )
