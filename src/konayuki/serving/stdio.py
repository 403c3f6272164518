"""Standard input as the MCP package can read it."""

import os
import re
import sys
import threading

_ESCAPE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair: one character
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"  # half of one
    rb"|(\\.)"
)


def replace_lone_surrogates(line: bytes) -> bytes:
    r"""Return a line of JSON with U+FFFD for each half of a character, which is not text.

    The MCP package drops a line with `"\ud800"` in it, and the agent waits for ever.
    """
    return _ESCAPE.sub(lambda escape: escape[1] or escape[2] or rb"\ufffd", line)


def clean_stdin() -> None:
    """Put a thread that replaces lone surrogates between standard input and this process."""
    source = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    reading, writing = os.pipe()
    os.dup2(reading, sys.stdin.fileno())
    os.close(reading)

    def copy() -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            for line in source:
                sink.write(replace_lone_surrogates(line))

    threading.Thread(target=copy, daemon=True, name="stdin").start()
