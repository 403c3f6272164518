"""Command lines to kill: children of a process that has imported all, so that a start is cheap."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PARENT = """
import importlib, json, os, signal, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
from konayuki.cli import main
exec(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0), os.dup2(nothing, 1)
        os._exit(main(json.loads(line)))
    print("started", flush=True)
    if sys.stdin.readline() == "kill\\n":
        os.kill(child, signal.SIGKILL)  # nobody has waited for it: the number is still its own
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class End(NamedTuple):
    """How a command ended: the time since its start, and its exit code, -9 if it was killed."""

    seconds: float
    code: int


class Commands:
    """Runs command lines one after the other, each in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._started = 0.0

    def start(self, *arguments: str) -> None:
        """Start `konayuki ARGUMENTS`."""
        assert self._say(json.dumps(arguments)) == "started\n"
        self._started = time.perf_counter()

    def end(self) -> End:
        """Wait for its end."""
        return self._end("wait")

    def kill(self) -> End:
        """Kill it, if it has not ended by itself."""
        return self._end("kill")

    def _end(self, how: str) -> End:
        code = int(self._say(how))
        return End(time.perf_counter() - self._started, code)

    def _say(self, line: str) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    @property
    def stderr(self) -> Iterator[str]:
        """The lines that the commands write to stderr."""
        assert self._process.stderr
        return iter(self._process.stderr.readline, "")


@contextmanager
def commands(*modules: str, prepare: str = "", stderr: int | None = None) -> Iterator[Commands]:
    """Import modules, run the code `prepare`, and be ready to start commands until the block ends.

    Args:
        modules: What the commands import.
        prepare: Python code, to make batches smaller, say.
        stderr: Where the commands' stderr goes, `subprocess.PIPE` to read it.
    """
    source = Path(__file__).parents[1] / "src"
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, json.dumps(modules), prepare],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Commands(process)
        finally:
            process.kill()
