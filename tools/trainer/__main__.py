"""`torchrun -m trainer RECIPE --out DIR`: a run that several processes may share.

Arguments and results are those of `konayuki train`; the first process prints them.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from konayuki.cli.train import add_arguments, train_as_asked
from konayuki.errors import InputError, KonayukiError
from trainer.processes import is_main_process
from trainer.run import trainer_loop


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return 0, 1 for a failure or 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="trainer", description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="tokenise in N processes"
    )
    args = parser.parse_args(arguments)
    try:
        record = train_as_asked(args, trainer_loop(args.workers))
    except KonayukiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, InputError) else 1
    if is_main_process():
        shown = {key: record[key] for key in ("name", "n_pairs", "n_steps", "development")}
        print(json.dumps({"out": str(args.out), **shown}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
