"""The page docs/reference/cli.md, written from the parsers themselves.

`python -m konayuki.cli.reference > docs/reference/cli.md` renews it; a test compares the two.
"""

import argparse
import sys

from konayuki.cli.main import VERBS, build_parser


def reference() -> str:
    """Return the Markdown page of every command and its arguments."""
    parser = build_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    pages = [command_page(verb.name, verb.help, commands.choices[verb.name]) for verb in VERBS]
    head = (
        "# The command line\n\n"
        "Data goes to stdout and prose to stderr; `-` is stdin; `--json` gives one object a line; "
        "long work shows a bar on a terminal and writes a line a minute elsewhere. Exit code 0 is "
        "success, 1 failure (something is not there, cannot be read or was skipped), 2 wrong usage "
        "(an argument that cannot be used). `--debug` shows the traceback of an error.\n\n"
        "This page is generated: `python -m konayuki.cli.reference > docs/reference/cli.md`.\n\n"
    )
    return head + "\n".join(pages)


def command_page(name: str, summary: str, parser: argparse.ArgumentParser) -> str:
    """Return the section of one command."""
    rows = [argument_row(action) for action in parser._actions if action.dest not in SHARED]
    table = "\n".join(["| argument | meaning | default |", "|---|---|---|", *rows])
    return f"## konayuki {name}\n{summary[0].upper() + summary[1:]}.\n\n{table}\n"


SHARED = {"help", "debug"}


def argument_row(action: argparse.Action) -> str:
    """Return one line of the table of arguments."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    value = value if isinstance(value, str) else " ".join(value)
    if action.option_strings:
        takes_value = action.nargs != 0
        name = ", ".join(action.option_strings)
        name += f" {value or action.dest.upper()}" if takes_value else ""
    else:
        name = value or action.dest.upper()
    hidden = action.default in (None, False, argparse.SUPPRESS) or action.default == []
    default = "" if hidden else f"`{action.default}`"
    meaning = (action.help or "").replace("%%", "%")
    cells = (f"`{name}`", meaning, default)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(reference())
