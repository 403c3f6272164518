"""`torchrun -m konayuki.training RECIPE --out DIR`: a run that several processes share.

Arguments and results are those of `konayuki train`; the first process prints them.
"""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout

from konayuki.cli import main as command_line
from konayuki.training.engines import is_main_process


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return 0, 1 for a failure or 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with nullcontext() if is_main_process() else redirect_stdout(None):
        return command_line(["train", *arguments])


if __name__ == "__main__":
    sys.exit(main())
