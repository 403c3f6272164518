"""Which files of a folder are left out: patterns of .gitignore, and folders that hold no notes."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from konayuki.errors import InputError, KonayukiError
from konayuki.ingest.files_on_disk import read_regular, shown
from konayuki.text import decode

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILES = (".gitignore", ".konayukiignore")  # the second one can take back what the first one says
_MAX_BYTES = 1 << 20
_MOST_AMBIGUITY = 2  # with four, one name of 250 letters takes a minute
_STARS = re.compile(r"\*+")
# Packages, caches, and what archives and Windows put next to the files of people.
_FOLDERS = {
    "node_modules", "bower_components", "__pycache__", "site-packages", "__MACOSX",
    "$RECYCLE.BIN", "System Volume Information",
}  # fmt: skip
_INDEX = {"documents.db", "index.json"}


class Rules(NamedTuple):
    """The patterns of one folder, which hold for all that lies in it."""

    folder: str
    spec: "GitIgnoreSpec"


def rules_of(folder: Path, names: Iterable[str]) -> list[Rules]:
    """Return the rules in the ignore files of a folder.

    Args:
        folder: The folder.
        names: The names in it.
    """
    present = set(names)
    rules = []
    for name in FILES:
        if name in present:
            try:
                content = read_regular(folder / name, name, _MAX_BYTES)
                lines = decode(content, name).splitlines()
                usable = [line for line in lines if _ambiguity(line) <= _MOST_AMBIGUITY]
                rules.append(Rules(str(folder), spec(usable)))
            except KonayukiError:
                continue  # as Git does: a file of patterns that cannot be read has none
    return rules


def spec(patterns: Sequence[str]) -> "GitIgnoreSpec":
    """Return patterns as they are written in .gitignore.

    Raises:
        InputError: A pattern cannot be used.
    """
    from pathspec import GitIgnoreSpec

    for pattern in patterns:
        if _ambiguity(pattern) > _MOST_AMBIGUITY:
            raise InputError(
                f"{shown(pattern[:60])}: expected a pattern with fewer stars inside of a name"
            )
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise InputError(f"{error}: expected a pattern as in .gitignore") from error


def _ambiguity(pattern: str) -> int:
    """Return how many stars of a pattern each multiply the time of a match by a name's length."""
    if pattern.startswith("#"):
        return 0
    names = pattern.split("/")
    inside = sum(max(0, len(_STARS.findall(name)) - 1) for name in names)
    return inside + max(0, names.count("**") - 1)


def is_ignored(path: str, rules: Sequence[Rules], *, is_folder: bool) -> bool:
    """Return whether the rules leave a path out; those of inner folders come first."""
    for folder, patterns in reversed(rules):
        inside = os.path.relpath(path, folder).replace(os.sep, "/")
        verdict = patterns.check_file(f"{inside}/" if is_folder else inside).include
        if verdict is not None:
            return verdict
    return False


def is_for_machines(name: str) -> bool:
    """Return whether a folder of this name holds packages or caches."""
    return name in _FOLDERS or name.endswith(".konayuki")


def is_index(names: Iterable[str]) -> bool:
    """Return whether a folder with these names is an index of ours."""
    return _INDEX.issubset(names)
