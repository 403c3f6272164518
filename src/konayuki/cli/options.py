"""What the verbs share: options that several of them have, and how help shows a default."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

# Declared once, so that an option means the same and reads the same everywhere.
SHARED: Mapping[str, Mapping[str, object]] = {
    "--model": {"help": "model folder or hub id (default: the bundled model)"},
    "--dim": {"type": int, "metavar": "N", "help": "use only the first N dimensions"},
    "--column": {"default": "text", "metavar": "NAME", "help": "column that holds the texts"},
    "--json": {"action": "store_true", "help": "print JSON, one object per line"},
    "--no-progress": {"action": "store_true", "help": "do not report progress on stderr"},
    "--debug": {"action": "store_true", "help": "show the traceback of an error"},
}


class HelpFormatter(argparse.HelpFormatter):
    """Adds the default of an option to its help if it tells the reader something.

    `argparse.ArgumentDefaultsHelpFormatter` also writes "(default: None)" and "(default: False)",
    behind texts that name the default in words.
    """

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        return f"{text} (default: %(default)s)" if has_telling_default(action) else text

    def meaning(self, action: argparse.Action) -> str:
        """Return the help of an argument as the terminal shows it, on one line."""
        return self._expand_help(action)


def has_telling_default(action: argparse.Action) -> bool:
    """Return whether an argument has a default that its help should show."""
    default = action.default
    # Not `default in (None, False)`: 0 equals False, and is worth showing.
    return not (default is None or default is False or default in ("", [], argparse.SUPPRESS))


def add_shared(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add some of the options in `SHARED`."""
    for name in names:
        parser.add_argument(name, **SHARED[name])  # type: ignore[arg-type] # its own keywords


def add_table_files(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the table that a verb reads, and the one that it writes with `what` in it."""
    parser.add_argument("file", help="JSON Lines, CSV, TSV or Parquet; - is JSON Lines on stdin")
    parser.add_argument(
        "--out",
        type=path_of,
        metavar="OUT",
        help=f"write {what} here: .jsonl, or the format of FILE",
    )


def place(text: str) -> str:
    """Return the path or address that an argument names.

    Raises:
        argparse.ArgumentTypeError: It is "", as an unset shell variable gives it: as a path that is
            the working folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("'': expected a path (. is the working folder)")
    return text


def is_index(folder: Path) -> bool:
    """Return whether a folder is an index."""
    try:
        return (folder / "documents.db").is_file()
    except OSError:  # a whole question is too long for the name of a folder
        return False


def number_of_hits(text: str) -> int:
    """Return a number of hits that an argument gives.

    Raises:
        argparse.ArgumentTypeError: It is not a whole number above 0.
    """
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def path_of(text: str) -> Path:
    """Return the path that an argument names; "" is refused as in `place`."""
    return Path(place(text))
