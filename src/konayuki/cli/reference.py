"""The page docs/reference/cli.md, written from the parsers themselves.

`python -m konayuki.cli.reference > docs/reference/cli.md` renews it; a test compares the two.
"""

import argparse
import sys

from konayuki.cli.main import VERBS, build_parser
from konayuki.cli.options import HelpFormatter

HEAD = """\
# The command line

Data goes to stdout and prose to stderr; `-` is stdin; `--json` prints one object per line; long
work shows a bar on a terminal and writes a line a minute elsewhere (`--no-progress`: neither).
`konayuki COMMAND --help` prints the texts of this page, and `--debug`, which every command takes,
shows the traceback of an error.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | failure: something does not exist, cannot be read or written, or was skipped; also if the \
reader of the output closes it early, as `head` does |
| 2 | wrong usage: an argument that cannot be used |
| 130 | interrupted with Ctrl-C |

This page is generated: `python -m konayuki.cli.reference > docs/reference/cli.md`.

"""
EVERYWHERE = {"help", "debug"}


def reference() -> str:
    """Return the Markdown page of every command and its arguments."""
    commands = command_parsers()
    return HEAD + "\n".join(
        command_page(verb.name, verb.help, commands[verb.name]) for verb in VERBS
    )


def command_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb by its name."""
    actions = build_parser()._actions
    subparsers = next(a for a in actions if isinstance(a, argparse._SubParsersAction))
    parsers: dict[str, argparse.ArgumentParser] = subparsers.choices
    return parsers


def command_page(name: str, summary: str, parser: argparse.ArgumentParser) -> str:
    """Return the section of one command."""
    rows = [argument_row(action) for action in parser._actions if action.dest not in EVERYWHERE]
    table = "\n".join(["| argument | meaning |", "|---|---|", *rows])
    return f"## konayuki {name}\n{summary[0].upper() + summary[1:]}.\n\n{table}\n"


def argument_row(action: argparse.Action) -> str:
    """Return one line of the table of arguments."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    value = value if isinstance(value, str) else " ".join(value)
    name = value or action.dest.upper()
    if action.option_strings:
        takes_value = action.nargs != 0
        name = ", ".join(action.option_strings) + (f" {name}" if takes_value else "")
    cells = (f"`{name}`", HelpFormatter("konayuki").meaning(action))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(reference())
