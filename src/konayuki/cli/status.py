"""`konayuki status`: what an index holds, and what was left out of it."""

import argparse
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from konayuki.cli.options import path_of

if TYPE_CHECKING:
    from konayuki.search import Index

_SHOWN_REASONS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument("index", type=path_of, metavar="DIR", help="folder of the index")


def run(args: argparse.Namespace) -> int:
    """Print the facts, one per line or as JSON."""
    from konayuki.model import StaticModel
    from konayuki.search import Index

    model = StaticModel.load(args.model) if args.model else None
    with Index.open(args.index, model, read_only=True) as index:
        facts = status_of(index)
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    print(
        f"{facts['path']}: {facts['files']:,} files, {facts['passages']:,} passages, "
        f"{facts['bytes'] / 2**20:,.1f} MB"
    )
    print("kinds: " + (", ".join(f"{n:,} {kind}" for kind, n in facts["kinds"].items()) or "none"))
    print(
        f"model {facts['model']} ({facts['dim']} dimensions), "
        f"analyser {facts['analyzer_version']}, generation {facts['generation']:,}"
    )
    for look in facts["looks"]:
        print("\n".join(_look_in_words(look)))
    return 0


def status_of(index: "Index") -> dict[str, Any]:
    """Return what an index holds, as values that JSON can hold."""
    from konayuki.ingest.kinds import kind_of
    from konayuki.ingest.looks import looks

    info = index.info()
    sources = index.sources()
    kinds = Counter(kind.name if (kind := kind_of(name)) else "other" for name in sources)
    return {
        "path": info["path"],
        "files": len(sources),
        "passages": info["documents"],
        "kinds": dict(kinds.most_common()),
        "looks": looks(index),
        **{key: value for key, value in info.items() if key not in ("path", "documents")},
    }


def _look_in_words(look: dict[str, Any]) -> list[str]:
    """Return the lines about what was left out of some files and folders."""
    left = [f"{number:,} {reason}" for reason, number in look.get("left_out", {}).items()]
    left += [
        f"{number:,} of another kind ({suffix or 'no suffix'})"
        for suffix, number in look.get("ignored", {}).items()
    ]
    skipped = look.get("skipped", [])
    lines = [f"{', '.join(look.get('paths', []))}: left out: {', '.join(left) or 'nothing'}"]
    lines += [f"  skipped: {reason}" for reason in skipped[:_SHOWN_REASONS]]
    more = look.get("n_skipped", 0) - len(skipped[:_SHOWN_REASONS])
    return [*lines, f"  and {more:,} more"] if more > 0 else lines
