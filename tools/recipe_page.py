"""The page docs/reference/recipe.md, written from the keys of the recipe themselves.

`python tools/recipe_page.py > docs/reference/recipe.md` renews it; a test compares.
"""

import json
import sys
from itertools import groupby

from konayuki.training.recipe import Key, all_keys, expected_of

HEAD = """# The recipe

A recipe is a TOML file; `konayuki train` runs it. Unknown keys and values out of range are errors
that name the key. `--set training.steps=400` replaces a value for one run. A run is resumed with
the recipe that it began with; the keys marked "free" may differ.

This page is generated: `python tools/recipe_page.py > docs/reference/recipe.md`.
"""


def page() -> str:
    """Return the Markdown page of every key."""
    tables = [HEAD]
    for table, keys in groupby(all_keys(), lambda key: key.name.rpartition(".")[0]):
        lines = [f"## {_heading(table)}", "", "| key | default | allowed | meaning | on resume |"]
        tables.append("\n".join([*lines, "|---|---|---|---|---|", *map(_row, keys)]) + "\n")
    return "\n".join(tables)


def _heading(table: str) -> str:
    if not table:
        return "Top level"
    return f"`[[{table[:-2]}]]`" if table.endswith("[]") else f"`[{table}]`"


def _row(key: Key) -> str:
    field = key.field
    default = "" if field.default in ("", ()) else f"`{json.dumps(field.default)}`"
    cells = (
        f"`{key.name.rpartition('.')[2]}`",
        default,
        expected_of(field),
        field.description or "",
        "free" if key.resumable else "",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
