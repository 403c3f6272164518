"""The page of the command line is what the parsers say."""

from pathlib import Path

from konayuki.cli.reference import reference

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cli.md"


def test_the_command_line_page_says_what_the_parsers_say() -> None:
    assert PAGE.read_text("utf-8") == reference(), (
        "renew it: python -m konayuki.cli.reference > docs/reference/cli.md"
    )
