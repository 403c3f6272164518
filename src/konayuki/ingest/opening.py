"""Open a file with the program that the system has for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from konayuki.errors import KonayukiError
from konayuki.ingest.kinds import kind_of


def open_file(path: Path) -> None:
    """Open a file that was indexed.

    An index may come from somebody else: a name that begins with a dash is no option of the
    program, and source code is shown, not run.

    Raises:
        KonayukiError: It is of no kind that is read, or the system has no way to open files.
    """
    kind = kind_of(path.name)
    if kind is None:
        raise KonayukiError(f"{path}: not opened: expected a file of a kind that is read")
    if sys.platform == "win32":
        if kind.name == "source code":  # Windows would run a script
            subprocess.Popen(["notepad", str(path)])  # noqa: S603, S607
        else:
            os.startfile(path)  # noqa: S606
        return
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        raise KonayukiError(f"{path}: xdg-open is not installed: expected a way to open files")
    # macOS would run some scripts: -t is the editor.
    options = ["-t"] if sys.platform == "darwin" and kind.name == "source code" else []
    command = [opener, *options, str(path.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        raise KonayukiError(f"{path} cannot be opened: {reason}")
