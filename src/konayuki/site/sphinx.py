"""The Sphinx extension: `extensions = ["konayuki.site.sphinx"]`.

Settings in conf.py: `konayuki_dim` (128), `konayuki_bits` (8), `konayuki_exclude` ([]) and
`konayuki_model` (the bundled one).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

import konayuki
from konayuki.model import StaticModel
from konayuki.site.build import Settings
from konayuki.site.folder import add_search
from konayuki.site.markup import script_tag
from konayuki.site.pages import FOLDER

_log = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_config_value("konayuki_dim", 128, "html", int)
    app.add_config_value("konayuki_bits", 8, "html", int)
    app.add_config_value("konayuki_exclude", [], "html", list)
    app.add_config_value("konayuki_model", None, "html", (str, type(None)))
    app.connect("html-page-context", _add_script)
    app.connect("build-finished", _write_search)
    return {
        "version": konayuki.__version__,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _add_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    path_to: Callable[..., str] = context["pathto"]
    tag = script_tag(path_to(f"{FOLDER}/", 1))
    context["metatags"] = f"{context.get('metatags', '')}\n{tag}"


def _write_search(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    config = app.config
    model = StaticModel.load(config.konayuki_model) if config.konayuki_model else None
    settings = Settings(config.konayuki_dim, config.konayuki_bits)
    folder = Path(app.builder.outdir)
    summary = add_search(
        folder,
        None,
        model,
        settings,
        exclude=config.konayuki_exclude,
        cache=Path(app.doctreedir) / "konayuki.sqlite",  # kept between builds, and not published
    )
    for reason in summary.skipped:
        _log.warning("not searched: %s", reason)
    _log.info("%s passages of %s pages can be searched", summary.passages, summary.pages)
