"""A folder of built HTML into passages with addresses."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from konayuki.errors import FormatError, InputError
from konayuki.files import read_regular
from konayuki.ingest import Cutting, Selection, find_files
from konayuki.ingest.chunker import chunk
from konayuki.ingest.html import html_outline
from konayuki.ingest.markup import End, Start, tokens
from konayuki.ingest.outline import Outline, Section
from konayuki.ingest.walk import LeftOut
from konayuki.search import Document
from konayuki.site.cache import Cache
from konayuki.text import decode

FOLDER = "konayuki"  # inside the site, where the search is written
_SUFFIXES = ("*.html", "*.htm", "*.xhtml")
# Pages that generators make and nobody looks for.
_NO_PAGES = ("404.html", "search.html", "genindex*.html", "py-modindex.html", "print_page.html")
_SEPARATOR = re.compile(r"\s+[-|–—·»]\s+")
_FEWEST_PAGES = 3  # from which a common end of titles is the name of the site


@dataclass(frozen=True)
class Page:
    """A page of a site.

    Attributes:
        path: Its path in the site, with slashes.
        outline: Its title and sections.
    """

    path: str
    outline: Outline

    @property
    def url(self) -> str:
        """Its address, relative to the root of the site."""
        folder, _, name = self.path.rpartition("/")
        path = self.path if name != "index.html" else f"{folder}/" if folder else "./"
        return quote(path)


@dataclass
class Reading:
    """What was read of a folder, and what was not.

    Attributes:
        pages: The pages, by path.
        skipped: Files that cannot be read, with reasons.
        left_out: Numbers of files that were left out on purpose, by reason.
    """

    pages: list[Page] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_pages(
    folder: Path,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    cache: Cache | None = None,
) -> Reading:
    """Return the pages of a folder of HTML.

    Redirections, pages with `noindex` and the search and error pages of generators are left out.

    Args:
        folder: The root of the site.
        include: Patterns as in .gitignore: only pages that match one are read; () for all.
        exclude: Patterns of pages and folders that are left out.
        cache: Where pages that were read before are kept; default: nowhere.

    Raises:
        NotFoundError: The folder does not exist.
        InputError: It is a file, or holds no page.
    """
    cache = cache or Cache()
    if folder.is_file():
        raise InputError(f"{folder} is a file: expected the folder of a built site")
    excluded = (f"/{FOLDER}/", *(_NO_PAGES if not include else ()), *exclude)
    selection = Selection(include=tuple(include) or _SUFFIXES, exclude=excluded)
    left_out = LeftOut()
    reading = Reading()
    for path in find_files([folder], selection, left_out):
        if not any(path.match(suffix) for suffix in _SUFFIXES):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            read = _read(read_regular(path, selection.max_file_bytes), name, cache)
        except (FormatError, OSError) as error:
            reading.skipped.append(str(error))
            continue
        if isinstance(read, str):
            reading.left_out[read] += 1
            continue
        reading.pages.append(Page(name, read))
    reading.skipped += left_out.errors
    reading.left_out.update({"excluded": left_out.by_reason["excluded"]})
    reading.left_out = +reading.left_out
    if not reading.pages and not reading.skipped:
        raise InputError(f"{folder} holds no page: expected HTML files\nhint: build the site first")
    reading.pages = _named(sorted(reading.pages, key=lambda page: page.path))
    return reading


def passages_of(pages: Iterable[Page], cutting: Cutting) -> Iterator[Document]:
    """Yield the passages of pages."""
    for page in pages:
        title = page.outline.title or page.path
        for piece in chunk(page.outline.sections, cutting):
            yield Document(
                id=f"{page.path}#{piece.position}",
                text=piece.text,
                title=title,
                metadata={**piece.metadata, "path": page.path, "url": page.url},
                chunk_of=page.path,
                heading=piece.heading,
                position=piece.position,
            )


def _read(content: bytes, name: str, cache: Cache) -> Outline | str:
    """Return title and sections of a page, or why it is not for searching."""
    if (kept := cache.get("page", content)) is not None:
        return _unpacked(kept)
    text = decode(content, name)
    read = _unwanted(text) or html_outline(text)
    cache.put("page", content, _packed(read))
    return read


def _packed(read: Outline | str) -> bytes:
    if isinstance(read, str):
        return json.dumps(read).encode()
    sections = [
        [section.headings, section.text, dict(section.metadata)] for section in read.sections
    ]
    return json.dumps([read.title, sections]).encode()  # not as it is: half characters may occur


def _unpacked(kept: bytes) -> Outline | str:
    read = json.loads(kept)
    if isinstance(read, str):
        return read
    title, sections = read
    return Outline(
        title,
        tuple(Section(tuple(headings), text, metadata) for headings, text, metadata in sections),
    )


def _unwanted(text: str) -> str:
    """Return why a page is not for searching, or ""."""
    for token in tokens(text):
        if isinstance(token, End) and token.name == "head":
            break
        if not isinstance(token, Start):
            continue
        if token.name == "body":
            break
        if token.name == "meta":
            attributes = {name: value.lower() for name, value in token.attributes.items()}
            if attributes.get("http-equiv") == "refresh":
                return "redirections"
            if attributes.get("name") == "robots" and "noindex" in attributes.get("content", ""):
                return "noindex"
    return ""


def _named(pages: list[Page]) -> list[Page]:
    """Return the pages without the name of the site at the end of most titles."""
    ends = Counter(end for page in pages if (end := _end_of(page.outline.title)))
    end, number = max(ends.items(), key=lambda entry: entry[1], default=("", 0))
    if number < _FEWEST_PAGES or 2 * number <= len(pages):
        end = ""
    return [replace(page, outline=_titled(page.outline, end)) for page in pages]


def _titled(outline: Outline, end: str) -> Outline:
    """Return an outline whose title lacks the end, and whose headings do not repeat the title."""
    title = outline.title.removesuffix(end)
    sections = tuple(
        replace(section, headings=section.headings[1:])
        if section.headings[:1] == (title,)
        else section
        for section in outline.sections
    )
    return replace(outline, title=title, sections=sections)


def _end_of(title: str) -> str:
    """Return the last part of a title with the separator before it, "" if it has one part."""
    places = [match.start() for match in _SEPARATOR.finditer(title)]
    return title[places[-1] :] if places and places[-1] > 0 else ""
