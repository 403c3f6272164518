"""Search for a folder of built HTML."""

from collections.abc import Sequence
from pathlib import Path

from konayuki.ingest import Cutting
from konayuki.model import StaticModel
from konayuki.site.build import DEFAULT_SETTINGS, Settings, build_site
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

    Returns:
        What was done; pages that cannot be read are skipped and named there.

    Raises:
        NotFoundError: The folder does not exist.
        InputError: It holds no page, or a setting cannot be used.
        DimensionError: The model has fewer dimensions than the settings want.
        WriteError: A file cannot be written.
    """
    reading = read_pages(folder, include=include, exclude=exclude)
    passages = passages_of(reading.pages, cutting)
    summary = build_site(passages, folder / FOLDER if out is None else out, model, settings)
    summary.skipped = reading.skipped
    summary.left_out = dict(sorted(reading.left_out.items()))
    return summary
