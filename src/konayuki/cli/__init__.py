"""The command `konayuki`: one thin module per verb."""

from konayuki.cli.main import main

__all__ = ["main"]
