"""Hooks of the documentation site: links that leave docs/ lead to the repository.

Pages link to result files, recipes and pictures by their place in the repository, so that they work
in a clone; the site holds docs/ alone, so such a link becomes one to the repository's web page, and
the pictures are copied into the site.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs calls it
    """Add the pictures of benchmarks/ and recipes/ to the site."""
    for folder in ("benchmarks/results", "recipes/results"):
        for picture in sorted((ROOT / folder).rglob("*.png")):
            uri = f"images/{picture.relative_to(ROOT).as_posix()}"
            files.append(File.generated(config, uri, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401
    """Rewrite the links of a page that lead out of docs/."""
    folder = posixpath.dirname(page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        picture, text, target, anchor = link[1], link[2], link[3], link[4] or ""
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/"):
            return link[0]
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{page.file.src_uri}: link to {target}: expected {path}")
        if picture:
            return f"![{text}]({posixpath.relpath(f'images/{path}', folder or '.')})"
        return f"[{text}]({config['repo_url']}/blob/main/{path}{anchor})"

    return LINK.sub(rewritten, markdown)
