"""The command `konayuki`: thin skins over the rooms, one module a verb."""

from konayuki.cli.main import main

__all__ = ["main"]
