"""The MkDocs plug-in: `plugins: [konayuki]` instead of `search`."""

import logging
from pathlib import Path
from typing import Any

from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import BasePlugin
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from konayuki.model import StaticModel
from konayuki.site.build import BITS, Settings
from konayuki.site.folder import add_search
from konayuki.site.markup import with_script
from konayuki.site.pages import FOLDER

_log = logging.getLogger("mkdocs.plugins.konayuki")


class KonayukiConfig(Config):
    """The settings of the plug-in in mkdocs.yml."""

    dim = config_options.Type(int, default=128)
    bits = config_options.Choice(BITS, default=8)
    exclude = config_options.ListOfItems(config_options.Type(str), default=[])
    model = config_options.Optional(config_options.Type(str))
    cache = config_options.Optional(config_options.Type(str))


class KonayukiPlugin(BasePlugin[KonayukiConfig]):
    """Adds search by words and meaning to a site."""

    def on_post_page(self, output: str, /, *, page: Page, config: MkDocsConfig) -> str:
        """Return a page that loads the search."""
        return with_script(output, get_relative_url(f"{FOLDER}/", page.url))

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write the search of the built pages."""
        settings = Settings(self.config.dim, self.config.bits)
        model = StaticModel.load(self.config.model) if self.config.model else None
        exclude: list[Any] = self.config.exclude
        cache = Path(self.config.cache) if self.config.cache else None
        folder = Path(config.site_dir)
        summary = add_search(folder, None, model, settings, exclude=exclude, cache=cache)
        for reason in summary.skipped:
            _log.warning(f"not searched: {reason}")
        _log.info(f"{summary.passages} passages of {summary.pages} pages can be searched")
