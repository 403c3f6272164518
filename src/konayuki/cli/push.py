"""`konayuki push`: a model folder with its card to the Hugging Face hub."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from konayuki.cli.options import path_of

if TYPE_CHECKING:
    from konayuki.integrations.hub_push import Pushed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "folder",
        type=path_of,
        help="model folder; without a README.md it gets the card of konayuki card, "
        "or a short one if it has no evaluation.json",
    )
    parser.add_argument("repo", help="owner/name; created if it does not exist")
    parser.add_argument(
        "--private",
        action="store_true",
        help="create a private repository; refuse an existing public one",
    )
    parser.add_argument("--revision", default="main", help="branch; created if it does not exist")
    parser.add_argument("--token", help="token that may write (default: HF_TOKEN or the login)")
    parser.add_argument("--message", help="first line of the commit message")
    parser.add_argument("--license", help="licence of the weights, for a card that is written")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list what would be sent, without using the network or writing anything",
    )


def run(args: argparse.Namespace) -> int:
    """Push the folder; print the address of the commit."""
    from konayuki.integrations.hub_push import as_dict, push

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
    """Name every file on stderr, or on stdout in a dry run, whose only result is the list."""
    out = sys.stdout if dry_run else sys.stderr
    for file in pushed.files:
        size = "to be written" if file.n_bytes is None else f"{file.n_bytes:,} bytes"
        print(f"{file.path}\t{size}", file=out)
    for path in pushed.removed:
        print(f"{path}\tremoved", file=out)
    total = sum(file.n_bytes or 0 for file in pushed.files)
    verb = "would be sent to" if dry_run else "sent to"
    print(
        f"{len(pushed.files)} files, {total:,} bytes {verb} {pushed.repo}, {pushed.revision}",
        file=sys.stderr,
    )
