"""Search for a folder of built HTML."""

from collections.abc import Sequence
from pathlib import Path

from konayuki.ingest import Cutting
from konayuki.model import StaticModel
from konayuki.site.build import DEFAULT_SETTINGS, Settings, build_site
from konayuki.site.cache import opened
from konayuki.site.pages import FOLDER, passages_of, read_pages
from konayuki.site.summary import Summary


def add_search(
    folder: Path,
    out: Path | None = None,
    model: StaticModel | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    cutting: Cutting = Cutting(),  # noqa: B008 - frozen: nobody can change it
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    cache: Path | None = None,
) -> Summary:
    """Write the search of a folder of built HTML into it.

    Args:
        folder: The root of the site.
        out: The folder of the search; default: `konayuki` in the site.
        model: Default: the bundled model.
        settings: How the site is searched.
        cutting: How pages are cut into passages.
        include: Patterns as in .gitignore: only pages that match one are read; () for all.
        exclude: Patterns of pages and folders that are left out.
        cache: A file outside of the site for what need not be done again: pages that have not
            changed are neither parsed nor encoded by the next build. Default: nothing is kept.

    Returns:
        What was done; pages that cannot be read are skipped and named there.

    Raises:
        NotFoundError: The folder does not exist.
        InputError: It holds no page, or a setting or the cache cannot be used.
        DimensionError: The model has fewer dimensions than the settings want.
        WriteError: A file cannot be written.

    Examples:
        >>> Path("site").mkdir()
        >>> page = "<title>山</title><main><h1>富士山</h1><p>標高は3776メートルである。</p></main>"
        >>> _ = Path("site/index.html").write_text(page, encoding="utf-8")
        >>> add_search(Path("site"), model=model).pages
        1
    """
    out = folder / FOLDER if out is None else out
    with opened(cache) as kept:
        reading = read_pages(folder, include=include, exclude=exclude, cache=kept)
        passages = passages_of(reading.pages, cutting)
        summary = build_site(passages, out, model, settings, cache=kept)
    summary.skipped = reading.skipped
    summary.left_out = dict(sorted(reading.left_out.items()))
    return summary
