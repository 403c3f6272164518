"""The line of HTML that gives a page its search."""

import re
from html import escape

_END_OF_HEAD = re.compile(r"</head\s*>", re.IGNORECASE)


def script_tag(folder_url: str) -> str:
    """Return the element that loads the search.

    Args:
        folder_url: The address of the folder of the search, with a slash at its end.
    """
    return f'<script type="module" src="{escape(folder_url)}konayuki-search.js" data-auto></script>'


def with_script(page: str, folder_url: str) -> str:
    """Return a page that loads the search; one without a head is left as it is."""
    if "konayuki-search.js" in page:
        return page
    tag = script_tag(folder_url)
    return _END_OF_HEAD.sub(lambda end: f"{tag}\n{end[0]}", page, count=1)
