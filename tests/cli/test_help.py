"""What `--help` prints, and that docs/reference/cli.md says the same."""

import re

import pytest

from konayuki.cli.main import VERBS
from konayuki.cli.options import SHARED, HelpFormatter
from konayuki.cli.reference import argument_row, command_parsers, reference

COMMANDS = command_parsers()
NAMES = [verb.name for verb in VERBS]


def words_of(text: str) -> str:
    """Return a text on one line; argparse breaks lines behind hyphens, too."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_no_default_that_tells_nothing(name: str) -> None:
    text = COMMANDS[name].format_help()

    for empty in ("None", "False", "[]", "''", "", "==SUPPRESS=="):
        assert words_of(f"(default: {empty})") not in words_of(text)
    assert not re.search(r"\(default:[^)]*\)\s*\(default:", text)


def test_help_shows_the_defaults_that_tell_something() -> None:
    search, embed = COMMANDS["search"].format_help(), COMMANDS["embed"].format_help()

    assert "number of hits (default: 10)" in search
    assert "(default: hybrid)" in search
    assert "(default: the bundled model)" in search
    assert "(default: 32)" in embed


def test_a_default_of_zero_is_shown() -> None:
    assert "seed of the first centres (default: 0)" in COMMANDS["cluster"].format_help()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_of_every_argument_what_the_terminal_says(name: str) -> None:
    shown = words_of(COMMANDS[name].format_help())
    page = reference()
    section = page[page.index(f"\n## konayuki {name}\n") :]

    for action in COMMANDS[name]._actions:
        assert words_of(HelpFormatter("konayuki").meaning(action)) in shown
        if action.dest not in {"help", "debug"}:
            assert argument_row(action) in section


# Options under a shared name that mean something else: a file, and a default of its own.
OTHER_OPTIONS = {("evaluate", "--json"), ("site", "--dim")}


@pytest.mark.parametrize("option", [name for name in SHARED if name != "--debug"])
def test_an_option_of_several_verbs_reads_the_same_everywhere(option: str) -> None:
    rows = {
        argument_row(action)
        for name, command in COMMANDS.items()
        for action in command._actions
        if option in action.option_strings and (name, option) not in OTHER_OPTIONS
    }
    assert len(rows) == 1
